package irc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/appservice"
	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

var _ appservice.Examiner = (*Bridge)(nil)

// Bounds of an examination.
const (
	examineTime     = 30 * time.Second // for one network
	examineChannels = 20
)

// Examine implements appservice.Examiner: it connects to each network as the bridge does, under a nick beside the
// bridge's own, looks around without joining any channel, and leaves.
func (b *Bridge) Examine(ctx context.Context, tell func(appservice.Finding)) error {
	if b.demo {
		tell(appservice.Finding{What: "networks", Verdict: appservice.Good, Detail: "None is configured: the demonstration network is shown."})
		return nil
	}
	for i := range b.cfg.Networks {
		cfg := &b.cfg.Networks[i]
		e := &examination{cfg: cfg, spawn: b.spawn, tell: func(f appservice.Finding) {
			f.What = cfg.ID + ": " + f.What
			tell(f)
		}}
		if err := e.run(ctx); err != nil {
			return fmt.Errorf("look at the network %s: %w", cfg.ID, err)
		}
	}
	return nil
}

// examination looks at one network. What the server refuses is a finding.
type examination struct {
	cfg   *NetworkConfig
	spawn func(func())
	tell  func(appservice.Finding)

	events  chan session.Event
	session *session.Session
}

func (e *examination) found(what string, v appservice.Verdict, detail, remedy string) {
	e.tell(appservice.Finding{What: what, Verdict: v, Detail: detail, Remedy: remedy})
}

// HandleEvent implements session.Handler.
func (e *examination) HandleEvent(ev session.Event) {
	switch ev.(type) {
	case session.Registered, session.Disconnected:
		select {
		case e.events <- ev:
		default: // the first is what counts
		}
	}
}

func (e *examination) run(ctx context.Context) error {
	within, cancel := context.WithTimeout(ctx, examineTime)
	defer cancel()
	e.encryption()
	e.events = make(chan session.Event, 1)
	e.session = session.New(session.Config{
		Addr: e.cfg.Address, TLS: e.cfg.TLS, Nick: e.cfg.Nick + "_", Username: e.cfg.Username, Realname: e.cfg.Realname,
		Password: e.cfg.ServerPassword, SASL: e.cfg.SASL, ConnectTimeout: examineTime,
		Handler: e, Log: slog.New(slog.DiscardHandler), Reader: e.cfg.reader(), Writer: e.cfg.writer(), Go: e.spawn,
	})
	online, hangUp := context.WithCancel(within)
	done := make(chan struct{})
	appservice.Spawn(e.spawn, func() {
		defer close(done)
		e.session.Run(online)
	})
	defer func() { hangUp(); <-done }()
	select {
	case ev := <-e.events:
		switch ev := ev.(type) {
		case session.Registered:
			e.found("the connection", appservice.Good, fmt.Sprintf("The server %s has welcomed the bridge.", e.cfg.Address), "")
			e.nick(ev.Support)
			e.abilities()
			e.channels(within)
		case session.Disconnected:
			e.refused(ev)
		}
	case <-within.Done():
		e.found("the connection", appservice.Bad, fmt.Sprintf("The server %s has not let the bridge in within %s.", e.cfg.Address, examineTime),
			"Look whether its address and port are right, and whether tls is what the port wants.")
	}
	return ctx.Err()
}

// encryption tells of a connection in the clear to another machine.
func (e *examination) encryption() {
	host, _, err := net.SplitHostPort(e.cfg.Address)
	if err != nil {
		return
	}
	ip := net.ParseIP(host)
	switch {
	case e.cfg.TLS != nil:
	case host == "localhost", ip != nil && ip.IsLoopback():
	default:
		e.found("encryption", appservice.Doubtful, "The connection is not encrypted: all that is said, and passwords, can be read on the way.",
			"Set tls to true, and the port to the one that the network names for it, which is 6697 mostly.")
	}
}

// refused tells why there is no connection.
func (e *examination) refused(ev session.Disconnected) {
	text := "nothing was heard"
	if ev.Err != nil {
		text = ev.Err.Error()
	}
	var resolve *net.DNSError
	var dial *net.OpError
	switch {
	case ev.BadCredentials, strings.Contains(strings.ToLower(text), "password"):
		e.found("the account", appservice.Bad, fmt.Sprintf("The network does not take it: %s.", text), "Put the account's name and password, as NickServ knows them, or the server's password into the configuration (sasl, server_password).")
	case errors.As(ev.Err, &resolve):
		e.found("the connection", appservice.Bad, fmt.Sprintf("There is no such address: %s.", text), "Correct address in the configuration, or this machine's DNS.")
	case strings.Contains(text, "tls:"), strings.Contains(text, "x509:"):
		e.found("the connection", appservice.Bad, fmt.Sprintf("There is no TLS at %s, or its certificate is not good: %s.", e.cfg.Address, text),
			"Use the port and the name that the network gives for TLS; if the certificate is the network's own, name its issuer in the configuration; tls: false is for a port without TLS.")
	case errors.As(ev.Err, &dial):
		e.found("the connection", appservice.Bad, fmt.Sprintf("Nobody answers at %s: %s.", e.cfg.Address, text), "Look whether address and port are right, and whether this machine's firewall lets connections out.")
	default:
		e.found("the connection", appservice.Bad, fmt.Sprintf("The server does not let the bridge in: %s.", text),
			"If it is a ban or a limit of connections from one address, ask the network's staff for an exception, and say that it is a bridge.")
	}
}

// nick tells of one that the network would cut.
func (e *examination) nick(isup *session.ISupport) {
	if e.cfg.SASL != nil {
		e.found("the account", appservice.Good, "The network has taken it.", "")
	}
	if limit := isup.NickLen; limit > 0 && len(e.cfg.Nick) > limit {
		e.found("the nick", appservice.Doubtful, fmt.Sprintf("The network's nicks have at most %d characters, and %s more: it is cut.", limit, e.cfg.Nick), "Set a shorter nick.")
	}
}

// wished are capabilities without which something is missing, in the order of their weight.
var wished = [...]struct{ name, without string }{
	{"message-tags", "replies and reactions are told in words"},
	{"server-time", "times are those at which the bridge has heard something"},
	{"echo-message", "whether a message has arrived is known from the server's silence"},
	{"draft/chathistory", "what is said while the bridge is away is not fetched, unless there is a ZNC"},
	{"draft/multiline", "a message of several lines is several messages"},
	{"draft/message-redaction", "deletions are told in words"},
}

// abilities tells what the server can do for the bridge. Nobody here can change it, so nothing of it is bad.
func (e *examination) abilities() {
	caps := e.session.Caps()
	var have, lack []string
	for _, w := range wished {
		if slices.Contains(caps, w.name) {
			have = append(have, w.name)
		} else {
			lack = append(lack, w.name+" ("+w.without+")")
		}
	}
	text := "The server has all that the bridge makes use of."
	switch {
	case len(have) == 0:
		text = "The server is one of the old kind: people, messages, topics and modes are bridged. It lacks " + strings.Join(lack, ", ") + "."
	case len(lack) > 0:
		text = "The server has " + strings.Join(have, ", ") + ". It lacks " + strings.Join(lack, ", ") + "."
	}
	e.found("what the server can do", appservice.Good, text, "")
}

// channels looks whether the configured channels can be joined.
func (e *examination) channels(ctx context.Context) {
	var open []string
	for i, ch := range e.cfg.Channels {
		if i == examineChannels {
			e.found("channels", appservice.Good, fmt.Sprintf("Of %d only the first %d were looked at.", len(e.cfg.Channels), examineChannels), "")
			break
		}
		answer, err := e.session.Ask(ctx, session.ModesOf(ch.Name))
		if err != nil {
			e.found("channels", appservice.Doubtful, fmt.Sprintf("The server says nothing of %s: %v.", ch.Name, err), "Try again later.")
			return
		}
		last := answer[len(answer)-1]
		modes := ""
		if last.Command == "324" && len(last.Params) > 2 {
			modes = last.Params[2]
		}
		switch {
		case strings.Contains(modes, "k") && ch.Key == "":
			e.found("channels", appservice.Bad, ch.Name+" can be joined with its key only.", "Put the channel's key into the configuration.")
		case strings.Contains(modes, "i"):
			e.found("channels", appservice.Doubtful, ch.Name+" is for who is invited: the bridge can't come in again once it is out.",
				fmt.Sprintf("Have an operator of the channel say /mode %s +I %s!*@*, or /invite %s %[1]s.", ch.Name, e.cfg.Nick, e.cfg.Nick))
		case strings.ContainsAny(modes, "rR") && e.cfg.SASL == nil:
			e.found("channels", appservice.Doubtful, ch.Name+" may be for people with an account only, and the bridge has none.", "Register an account for the bridge with NickServ, and name it in the configuration (sasl).")
		default:
			open = append(open, ch.Name)
		}
	}
	if len(open) > 0 {
		e.found("channels", appservice.Good, "Nothing keeps the bridge from joining "+strings.Join(open, ", ")+".", "")
	}
}
