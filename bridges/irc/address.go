package irc

import (
	"context"
	"fmt"
	"math/big"
	"net"
	"net/netip"
	"time"

	"maunium.net/go/mautrix/id"
)

// address is the address of a prefix that a number stands for.
func address(prefix netip.Prefix, number int64) (netip.Addr, error) {
	bits := prefix.Addr().BitLen() - prefix.Bits()
	if !prefix.IsValid() || number <= 0 || bits < 63 && number >= 1<<bits {
		return netip.Addr{}, fmt.Errorf("the prefix %s has no address with the number %d", prefix, number)
	}
	raw := prefix.Masked().Addr().AsSlice()
	sum := new(big.Int).Add(new(big.Int).SetBytes(raw), big.NewInt(number))
	out, _ := netip.AddrFromSlice(sum.FillBytes(raw))
	return out, nil
}

// hostOf is the number of a user's own address, which stays theirs.
func (ps *puppets) hostOf(ctx context.Context, user id.UserID) (int64, error) {
	ps.hosts.Lock()
	defer ps.hosts.Unlock()
	a, err := ps.n.b.store.account(ctx, ps.n.cfg.ID, user)
	if err != nil || a.host > 0 {
		return a.host, err
	}
	last, err := ps.n.b.store.lastHost(ctx, ps.n.cfg.ID)
	if err != nil {
		return 0, err
	}
	a.host = last + 1
	return a.host, ps.n.b.store.setAccount(ctx, ps.n.cfg.ID, user, a)
}

// dial connects a user, from an address of their own if there is a prefix for them.
func (p *puppet) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	d := net.Dialer{KeepAlive: 30 * time.Second}
	if prefix := p.n.cfg.Puppets.Prefix; prefix.IsValid() {
		number, err := p.n.puppets.hostOf(ctx, p.user)
		if err != nil {
			return nil, err
		}
		own, err := address(prefix, number)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(own, 0))
		network = "tcp4"
		if own.Is6() {
			network = "tcp6"
		}
	}
	return p.n.b.ident.connect(puppetUsername(p.user), func() (net.Conn, error) { return d.DialContext(ctx, network, addr) })
}
