// Package fetch is how anything is fetched over HTTP here.
package fetch
