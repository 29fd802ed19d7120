package main

import (
	"encoding/json"
	"net/http"
	"os"
	"strings"
	"testing"
)

// TestInvite registers one client with the token, and no second one.
func TestInvite(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	const file = "addr: localhost:0\nregistration:\n  grant_types: [client_credentials]\n"
	if err := os.WriteFile("jot.yaml", []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := jot(t, "", "client", "invite", "--config", "jot.yaml")
	var made struct {
		Token string `json:"initial_access_token"`
	}
	if err := json.Unmarshal([]byte(stdout), &made); err != nil || code != exitOK || len(made.Token) < 43 {
		t.Fatalf("%v: exit code %d\n%s%s", err, code, stdout, stderr)
	}
	s := startServe(t, dir, "--config", "jot.yaml")
	for _, want := range []int{http.StatusCreated, http.StatusUnauthorized} {
		r, err := http.NewRequest(http.MethodPost, s.url+"/register", strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer "+made.Token)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != want {
			t.Errorf("%s, want %d", resp.Status, want)
		}
	}
	if strings.Contains(s.logged(), made.Token) {
		t.Error("the log has the token")
	}

	for name, args := range map[string][]string{
		"may not register": {"--data", "other"},
		"a second":         {"--config", "jot.yaml", "--life", "1ms"},
		"memory":           {"--config", "jot.yaml", "--store", "memory"},
	} {
		if code, stdout, stderr := jot(t, "", append([]string{"client", "invite"}, args...)...); code != exitUsage || stdout != "" || !strings.Contains(stderr, name) {
			t.Errorf("%s: exit code %d\n%s%s", name, code, stdout, stderr)
		}
	}
}
