package main

import (
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"
)

// connections bounds how many there are at a time, at all listeners together. While there are as many as may be, those that wait for their
// next request are closed for new ones, and where none does, new ones wait in the queue of the system.
type connections struct {
	most func() int // may change while the process runs; zero is without limit
	log  *slog.Logger

	mu     sync.Mutex
	freed  sync.Cond
	n      int
	idle   map[net.Conn]struct{}
	ended  bool
	warned time.Time
}

func newConnections(most func() int, log *slog.Logger) *connections {
	c := &connections{most: most, log: log, idle: map[net.Conn]struct{}{}}
	c.freed.L = &c.mu
	return c
}

// state is the ConnState of an http.Server.
func (c *connections) state(conn net.Conn, s http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch s {
	case http.StateIdle:
		c.idle[conn] = struct{}{}
		c.freed.Signal() // whoever waits may close it
		return
	case http.StateClosed, http.StateHijacked:
		c.n--
		c.freed.Signal()
	}
	delete(c.idle, conn)
}

// wait returns as soon as there may be one more, which is counted, or false where there are no more.
func (c *connections) wait() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for closing := net.Conn(nil); !c.ended; c.freed.Wait() {
		most := c.most()
		if most == 0 || c.n < most {
			c.n++
			return true
		}
		if now := time.Now(); now.Sub(c.warned) > time.Minute {
			c.warned = now
			c.log.Warn("there are as many connections as limits allow", "connections", c.n)
		}
		if _, ok := c.idle[closing]; ok {
			continue // it is on its way out
		}
		for closing = range c.idle { // one in no order that a client could choose
			_ = below(closing).Close() // without a word, which its client might not take
			break
		}
	}
	return false
}

// below is the connection below TLS.
func below(c net.Conn) net.Conn {
	if t, ok := c.(*tls.Conn); ok {
		return t.NetConn()
	}
	return c
}

// end has nobody wait any more.
func (c *connections) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
	c.freed.Broadcast()
}

// boundListener accepts no more connections than there may be.
type boundListener struct {
	net.Listener
	all *connections
}

// Accept implements [net.Listener].
func (l boundListener) Accept() (net.Conn, error) {
	if !l.all.wait() {
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		l.all.mu.Lock()
		l.all.n--
		l.all.mu.Unlock()
	}
	return conn, err
}

// Close implements [net.Listener].
func (l boundListener) Close() error {
	l.all.end()
	return l.Listener.Close()
}
