// Package oauth has the words that the parties of OAuth 2.0 share: errors and challenges, scopes, PKCE, metadata,
// authorization details, and what comes back from the authorization endpoint. It speaks to nobody: packages client
// and guard, and an authorization server, do that with these words.
package oauth
