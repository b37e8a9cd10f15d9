package registration

import (
	"bytes"
	"crypto/rand"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Options say for what [Generate] makes a registration.
type Options struct {
	ID         string // required
	URL        string // empty for a module in this process, or no traffic
	Module     string // for a module in this process
	ServerName string // required: namespaces name the server
	// Localpart of the bridge's bot; empty means ID + "bot".
	Localpart string
	// Prefix of the localparts of the bridge's users and aliases; empty means ID + "_".
	Prefix    string
	Protocols []string
	// Encryption switches on what a bridge with end-to-end encryption needs (MSC2409,
	// MSC3202, MSC4190).
	Encryption bool
}

// Generate makes a registration with fresh tokens. The error is a [Problems].
func Generate(o Options) (*Registration, error) {
	if o.ServerName == "" {
		return nil, Problems{{Key: "server name", Message: "is missing", Fix: "namespaces name the server: give the name it has"}}
	}
	if o.Localpart == "" {
		o.Localpart = o.ID + "bot"
	}
	if o.Prefix == "" {
		o.Prefix = o.ID + "_"
	}
	if strings.ContainsAny(o.Prefix, ":@# ") {
		return nil, Problems{{Key: "prefix", Message: strconv.Quote(o.Prefix) + " has characters that no user id may hold", Fix: "write the beginning of localparts, irc_ say"}}
	}
	limited := false
	host := regexp.QuoteMeta(o.ServerName)
	prefix := regexp.QuoteMeta(o.Prefix)
	r := &Registration{
		ID: o.ID, URL: strings.TrimRight(o.URL, "/"), Module: o.Module,
		ASToken: newToken(), HSToken: newToken(), SenderLocalpart: o.Localpart,
		RateLimited: &limited, // a bridge sends for many people at once
		Protocols:   o.Protocols,
		Namespaces: Namespaces{
			Users: []Namespace{
				{Regex: "^@" + prefix + ".+:" + host + "$", Exclusive: true},
				{Regex: "^@" + regexp.QuoteMeta(o.Localpart) + ":" + host + "$", Exclusive: true},
			},
			Aliases: []Namespace{{Regex: "^#" + prefix + ".+:" + host + "$", Exclusive: true}},
		},
		ReceiveEphemeral: true, MSC3202: o.Encryption, DeviceManagement: o.Encryption,
	}
	if err := r.Validate(); err != nil {
		return nil, err
	}
	return r, nil
}

// newToken has 128 bits of chance and more, in letters and digits.
func newToken() string { return rand.Text() + rand.Text() }

// Marshal writes the registration as a commented YAML file, readable by any homeserver.
func (r *Registration) Marshal() ([]byte, error) {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value *yaml.Node, comment string) {
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key, HeadComment: comment}, value)
	}
	add("id", textNode(r.ID), "The name of the application service. Never change it.")
	if r.URL == "" {
		add("url", &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, "Where the homeserver sends events; null: nowhere over HTTP.")
	} else {
		add("url", textNode(r.URL), "Where the homeserver sends events.")
	}
	if r.Module != "" {
		add("x-module", textNode(r.Module), "The bridge module in the server's own process that this registration is for.")
	}
	add("as_token", textNode(r.ASToken), "The secret that the service shows the homeserver.")
	add("hs_token", textNode(r.HSToken), "The secret that the homeserver shows the service.")
	add("sender_localpart", textNode(r.SenderLocalpart), "The service's own user, the bridge's bot.")
	if r.RateLimited != nil {
		add("rate_limited", boolNode(*r.RateLimited), "Whether rate limits apply to the bridge's users.")
	}
	if len(r.Protocols) > 0 {
		list := &yaml.Node{Kind: yaml.SequenceNode, Style: yaml.FlowStyle}
		for _, p := range r.Protocols {
			list.Content = append(list.Content, textNode(p))
		}
		add("protocols", list, "Networks that the service bridges to.")
	}
	if r.ReceiveEphemeral {
		add("receive_ephemeral", boolNode(true), "Send typing, receipts and to-device messages (the long name is for older homeservers).")
		add("de.sorunome.msc2409.push_ephemeral", boolNode(true), "")
	}
	if r.MSC3202 {
		add("org.matrix.msc3202", boolNode(true), "Send what end-to-end encryption needs (MSC3202).")
	}
	if r.DeviceManagement {
		add("io.element.msc4190", boolNode(true), "Let the service make devices without logging in (MSC4190).")
	}
	spaces := &yaml.Node{Kind: yaml.MappingNode}
	for _, a := range r.areas() {
		list := &yaml.Node{Kind: yaml.SequenceNode}
		if len(a.list) == 0 {
			list.Style = yaml.FlowStyle
		}
		for _, ns := range a.list {
			list.Content = append(list.Content, &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{
				textNode("exclusive"), boolNode(ns.Exclusive),
				// Single quotes leave backslashes alone.
				textNode("regex"), {Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.SingleQuotedStyle, Value: ns.Regex},
			}})
		}
		spaces.Content = append(spaces.Content, textNode(a.kind), list)
	}
	add("namespaces", spaces, "What is the service's own. Exclusive: nobody else may make such users or aliases.")

	var b bytes.Buffer
	enc := yaml.NewEncoder(&b)
	enc.SetIndent(2)
	if err := enc.Encode(doc); err != nil {
		return nil, fmt.Errorf("write registration %q: %w", r.ID, err)
	}
	return b.Bytes(), nil
}

// textNode leaves it to the library to quote what would not be read as a text.
func textNode(s string) *yaml.Node {
	n := &yaml.Node{}
	n.SetString(s)
	return n
}

func boolNode(v bool) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: strconv.FormatBool(v)}
}
