//go:build race

package wycheproof

const raced = true
