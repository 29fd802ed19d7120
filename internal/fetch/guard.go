package fetch

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Guard says that the URLs come from tokens, clients or fetched documents, and what
// they may lead to beside public addresses. Its zero value allows nothing else.
type Guard struct {
	// Networks may be dialled although they are not public.
	Networks []netip.Prefix
	// Hosts are names, compared without regard to case, behind which any address may be
	// dialled.
	Hosts []string
	// HTTPSPort refuses every port but 443.
	HTTPSPort bool
}

// reserved are the blocks of IPv4 that are not public, by the registry of RFC 6890.
var reserved = prefixes(
	"0.0.0.0/8",        // this network, RFC 791
	"10.0.0.0/8",       // private, RFC 1918
	"100.64.0.0/10",    // shared by carriers, RFC 6598
	"127.0.0.0/8",      // loopback, RFC 1122
	"169.254.0.0/16",   // link-local, RFC 3927: the metadata of clouds
	"172.16.0.0/12",    // private, RFC 1918
	"192.0.0.0/24",     // protocol assignments, RFC 6890
	"192.0.2.0/24",     // documentation, RFC 5737
	"192.88.99.0/24",   // the relays of 6to4, RFC 7526
	"192.168.0.0/16",   // private, RFC 1918
	"198.18.0.0/15",    // benchmarking, RFC 2544
	"198.51.100.0/24",  // documentation, RFC 5737
	"203.0.113.0/24",   // documentation, RFC 5737
	"224.0.0.0/4",      // multicast, RFC 5771
	"240.0.0.0/4",      // reserved, RFC 1112, and broadcast
	"168.63.129.16/32", // not in the registry: a cloud has its own services behind it
)

// Of IPv6 only 2000::/3 is public unicast (RFC 4291, Section 2.4), without these.
var (
	public6   = netip.MustParsePrefix("2000::/3")
	reserved6 = prefixes(
		"2001::/23",     // protocol assignments, RFC 2928: Teredo, benchmarking, ORCHID
		"2001:db8::/32", // documentation, RFC 3849
		"3fff::/20",     // documentation, RFC 9637
	)
	nat64 = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixTo = netip.MustParsePrefix("2002::/16")    // 6to4, RFC 3056
)

func prefixes(all ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(all))
	for i, s := range all {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// Within reports whether an address is in one of the networks. One without an address is in none.
func Within(a netip.Addr, all []netip.Prefix) bool {
	return slices.ContainsFunc(all, func(p netip.Prefix) bool { return p.Contains(a) })
}

// Sender is the address in the RemoteAddr of a request, as Within compares it: IPv4 where it is mapped, and without a zone,
// which no prefix has. It is the zero address, which is in no network, where there is none.
func Sender(remote string) netip.Addr {
	from, _ := netip.ParseAddrPort(remote)
	return from.Addr().Unmap().WithZone("")
}

// Public reports whether an address is that of a host on the Internet. One that
// stands for an IPv4 address (mapped, NAT64, 6to4) is judged as that.
func Public(a netip.Addr) bool {
	a = standsFor(a)
	if a.Is4() {
		return !Within(a, reserved)
	}
	// No prefix contains an address with a zone, or none.
	return public6.Contains(a) && !Within(a, reserved6)
}

// standsFor returns the IPv4 address that is reached through a, or a.
func standsFor(a netip.Addr) netip.Addr {
	a = a.Unmap()
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case nat64.Contains(a):
		return netip.AddrFrom4([4]byte(b[12:]))
	case sixTo.Contains(a):
		return netip.AddrFrom4([4]byte(b[2:6]))
	}
	return a
}

// permits reports whether an address may be dialled.
func (g *Guard) permits(a netip.Addr) bool {
	return Public(a) || Within(standsFor(a), g.Networks)
}

// exempts reports whether any address may be dialled for a host.
func (g *Guard) exempts(host string) bool {
	return slices.ContainsFunc(g.Hosts, func(h string) bool { return strings.EqualFold(h, host) })
}

// controller is the type of [net.Dialer.Control].
type controller = func(network, address string, c syscall.RawConn) error

// control is what a [net.Dialer] asks before each connection, when the name has been
// looked up: what it refuses is not dialled, whatever the name meant before.
func (g *Guard) control(_, address string, _ syscall.RawConn) error {
	return judge(address, g.permits, "is not a public address")
}

// loopbackOnly lets plain http go nowhere else, whatever localhost means here.
func loopbackOnly(_, address string, _ syscall.RawConn) error {
	return judge(address, func(a netip.Addr) bool { return a.Unmap().IsLoopback() }, "is not this machine, and http is for it alone")
}

func judge(address string, permits func(netip.Addr) bool, why string) error {
	ap, _ := netip.ParseAddrPort(address) // else it is no address, which is not permitted
	if !permits(ap.Addr()) {
		return refused(fmt.Sprintf("%.100q %s", address, why))
	}
	return nil
}

// resolve judges all that a name stands for now, where a proxy will dial it.
func (g *Guard) resolve(ctx context.Context, r *net.Resolver, host string) error {
	if g.exempts(host) {
		return nil
	}
	addrs, err := r.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return err
	}
	for _, a := range addrs {
		if !g.permits(a) {
			return refused(fmt.Sprintf("%.100q stands for %s, which is not a public address", host, a))
		}
	}
	return nil
}

// checkURL holds the rules that need no network.
func checkURL(raw string, g *Guard) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, refused("it is not a URL")
	}
	host := u.Hostname()
	switch {
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, refused("it is not an https URL")
	case host == "":
		return nil, refused("it has no host")
	case u.User != nil:
		// It would be printed wherever the URL is.
		return nil, refused("it has a user or a password in it")
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return nil, refused("it has a fragment")
	case u.Scheme == "http" && (g != nil || !isLoopback(host)):
		return nil, refused("it is not an https URL (http is for URLs of the operator that lead to this machine, such as http://localhost)")
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return nil, refused("its port is not one")
		}
	}
	if g == nil {
		return u, nil
	}
	switch {
	case g.HTTPSPort && u.Port() != "" && u.Port() != "443":
		return nil, refused("its port is not 443")
	// Names are to be in their ASCII form: other characters may turn into digits and dots.
	case strings.ContainsFunc(host, func(r rune) bool { return r >= 0x7f }):
		return nil, refused("its host is not a name or an address")
	}
	bare := strings.TrimSuffix(host, ".")
	addr, err := netip.ParseAddr(bare)
	switch {
	case err == nil && !g.permits(addr) && !g.exempts(host):
		return nil, refused(addr.String() + " is not a public address")
	case err != nil && likeIPv4(bare):
		// 2130706433, 0x7f.1 and 0177.0.0.1 are 127.0.0.1 to some that look names up.
		return nil, refused("its host is an address in an unusual form")
	}
	return u, nil
}

// likeIPv4 reports whether a host ends in a number, and so is never a name (WHATWG
// URL, Section 3.6).
func likeIPv4(host string) bool {
	last := strings.ToLower(host[strings.LastIndexByte(host, '.')+1:])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return strings.Trim(last, "0123456789") == ""
}

func isLoopback(host string) bool {
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.Unmap().IsLoopback()
	}
	host = strings.ToLower(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") // RFC 6761, Section 6.3
}
