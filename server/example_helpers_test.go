package server_test

import (
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
)

func body(s string) (io.ReadCloser, int64) { return io.NopCloser(strings.NewReader(s)), int64(len(s)) }

func member(w *httptest.ResponseRecorder, name string) string {
	var m map[string]any
	_ = json.Unmarshal(w.Body.Bytes(), &m)
	s, _ := m[name].(string)
	return s
}
