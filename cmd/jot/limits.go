package main

import (
	"math"

	"go.yaml.in/yaml/v3"

	"github.com/jotsuite/jot/server"
)

// configLimits say how often anyone may ask. What the file leaves out:
//
//   - An address of the Internet may ask 100 times a second, and 1000 times at once. A request costs about 0.1 ms, so one address keeps a hundredth
//     of one core busy; a site behind one address that gets its tokens anew every quarter of an hour can have 90 000 clients.
//   - Addresses of private networks and of this machine are not counted. One of them is mostly a proxy that the configuration does
//     not name, or the gateway of a cluster, and a limit would be one for everybody together.
//   - Clients are not counted. How often an API asks about tokens grows with its own load, which only its operator knows.
//   - 4096 connections, which is some 60 MB with TLS, and more than the clients of one process open.
type configLimits struct {
	Address struct {
		Rate    number `yaml:"rate"`
		Burst   number `yaml:"burst"`
		Private flag   `yaml:"private"`
	} `yaml:"address"`
	Client struct {
		Rate  number `yaml:"rate"`
		Burst number `yaml:"burst"`
	} `yaml:"client"`
	Connections number `yaml:"connections"`
}

const defaultConnections = 4096

// number is one that is not negative, with its line.
type number struct {
	is   float64
	line int
}

// UnmarshalYAML implements [yaml.Unmarshaler].
func (n *number) UnmarshalYAML(node *yaml.Node) error {
	if err := node.Decode(&n.is); err != nil || !(n.is >= 0) || n.is > math.MaxInt32 {
		return inLine(node.Line, "this is a number that is not negative")
	}
	n.line = node.Line
	return nil
}

// whole is a number without a fraction.
func (n number) whole() (int, error) {
	if n.is != math.Trunc(n.is) {
		return 0, inLine(n.line, "this is a whole number")
	}
	return int(n.is), nil
}

// limits takes limits and the addresses that they count.
func (c *config) limits(o *server.Options) (err error) {
	x := &c.Limits
	o.Limits.Address = server.Rate{PerSecond: 100, Burst: 1000}
	for _, r := range []struct {
		rate, burst number
		to          *server.Rate
	}{{x.Address.Rate, x.Address.Burst, &o.Limits.Address}, {x.Client.Rate, x.Client.Burst, &o.Limits.Client}} {
		if r.rate.line == 0 && r.burst.line == 0 {
			continue
		}
		burst, err := r.burst.whole()
		switch {
		case err != nil:
			return err
		case r.rate.is == 0 && r.burst.is > 0:
			return inLine(r.burst.line, "a burst goes with a rate")
		case r.rate.is > 0 && max(r.burst.is, 1)/r.rate.is > 86400:
			return inLine(r.rate.line, "the rate takes over a day to allow the burst again")
		}
		*r.to = server.Rate{PerSecond: r.rate.is, Burst: burst}
	}
	o.Limits.Private = x.Address.Private.is
	if _, err := x.connections(); err != nil {
		return err
	}
	h := c.Addresses.Header
	proxies, err := prefixes(c.Addresses.Proxies)
	switch {
	case err != nil:
		return err
	case h.line > 0 && len(proxies) == 0:
		return inLine(h.line, "the header needs proxies: anyone else could write it")
	case h.line > 0:
		o.RemoteAddress = server.AddressHeader(h.text, proxies...)
	}
	return nil
}

// connections is how many there may be at a time, or zero without a limit.
func (l *configLimits) connections() (int, error) {
	if l.Connections.line == 0 {
		return defaultConnections, nil
	}
	return l.Connections.whole()
}
