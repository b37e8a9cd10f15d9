package registration

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
	"gopkg.in/yaml.v3"
)

// Parse reads one registration. The error, if any, is a [Problems] holding everything
// that is wrong with it, not only the first thing; file is the name to show in it.
// What is merely doubtful, unknown keys among it, comes from [Registration.Lint].
func Parse(file string, data []byte) (*Registration, error) {
	root, problems := diag.Parse(file, data, yamlLimits())
	if root == nil {
		return nil, problems
	}
	d := decoder{reg: &Registration{origin: &origin{file: file, places: map[string]place{}}}, problems: problems}
	d.registration(root)
	bad := map[string]bool{}
	for _, p := range d.problems.Errors() {
		bad[p.Key] = true
	}
	d.problems = append(d.problems, d.reg.validate(d.seen, bad)...)
	d.problems.Sort()
	d.reg.origin.warnings = d.problems.Warnings()
	if err := d.problems.Err(); err != nil {
		return nil, err
	}
	return d.reg, nil
}

// ParseFile reads one registration file.
func ParseFile(path string) (*Registration, error) {
	data, err := readFile(path)
	if err != nil {
		return nil, Problems{fileProblem(path, err)}
	}
	return Parse(path, data)
}

// readFile reads at most one byte more than is allowed, which Parse then complains of.
func readFile(path string) ([]byte, error) {
	// A device or a pipe would be read for ever, or block already when it is opened.
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, MaxFileSize+1))
}

// knownKeys are the keys at the top of a registration, in the order in which they are
// written.
func knownKeys() []string {
	return []string{
		"id", "url", "x-module", "as_token", "hs_token", "sender_localpart", "rate_limited", "protocols",
		"receive_ephemeral", "push_ephemeral", "de.sorunome.msc2409.push_ephemeral",
		"org.matrix.msc3202", "device_management", "io.element.msc4190", "namespaces",
	}
}

// foreignKeys are keys that other homeservers or bridges read and that are passed over
// without a warning.
func foreignKeys() []string {
	return []string{"ip_range_whitelist", "pantalaimon", "soru.ephemeral_events",
		"io.element.msc4502.scopes", "io.element.msc4512.proxy_prefix", "io.element.msc4512.proxy_url"}
}

type decoder struct {
	reg      *Registration
	problems Problems
	// seen holds the keys that are in the file, and those that a misspelt key in the file
	// was meant to be, so that they are not called missing as well.
	seen map[string]bool
}

func (d *decoder) add(sev diag.Severity, n *yaml.Node, key, message, fix string) {
	d.problems = append(d.problems, Problem{File: d.reg.origin.file, Line: n.Line, Column: n.Column,
		Severity: sev, Key: key, Message: message, Fix: fix})
}

func (d *decoder) registration(root *yaml.Node) {
	d.seen = map[string]bool{}
	var ephemeral, management switches
	d.mapping(root, "", append(knownKeys(), foreignKeys()...), func(key string, n *yaml.Node) {
		r := d.reg
		switch key {
		case "id":
			r.ID, _ = d.text(n, key)
		case "url":
			d.url(n)
		case "x-module":
			r.Module, _ = d.text(n, key)
		case "as_token":
			r.ASToken, _ = d.secret(n, key)
		case "hs_token":
			r.HSToken, _ = d.secret(n, key)
		case "sender_localpart":
			r.SenderLocalpart, _ = d.text(n, key)
		case "rate_limited":
			if v, ok := d.truth(n, key); ok {
				r.RateLimited = &v
			}
		case "protocols":
			d.protocols(n)
		case "receive_ephemeral", "push_ephemeral", "de.sorunome.msc2409.push_ephemeral":
			ephemeral.set(d, n, key, key == "receive_ephemeral")
		case "device_management", "io.element.msc4190":
			management.set(d, n, key, key == "device_management")
		case "org.matrix.msc3202":
			r.MSC3202, _ = d.truth(n, key)
		case "namespaces":
			d.namespaces(n)
		}
	})
	d.reg.ReceiveEphemeral = ephemeral.result(d)
	d.reg.DeviceManagement = management.result(d)
}

// mapping calls f for each known key of a mapping, and complains of the others.
func (d *decoder) mapping(n *yaml.Node, path string, known []string, f func(key string, n *yaml.Node)) {
	for i := 0; i+1 < len(n.Content); i += 2 {
		k, v := n.Content[i], diag.Resolve(n.Content[i+1])
		if k.Kind != yaml.ScalarNode || k.ShortTag() == "!!merge" {
			continue // diag.Parse has complained
		}
		key := diag.Join(path, k.Value)
		if slices.Contains(known, k.Value) {
			// The place of the value, not of the key: an alias' target may be elsewhere.
			d.reg.origin.places[key] = place{n.Content[i+1].Line, n.Content[i+1].Column}
			d.seen[key] = true
			f(k.Value, v)
			continue
		}
		if near := diag.Nearest(k.Value, known); near != "" {
			d.seen[diag.Join(path, near)] = true
			d.add(diag.Error, k, key, "unknown key "+diag.Quote(k.Value), fmt.Sprintf("write %q if that is what was meant", near))
		} else {
			d.add(diag.Warning, k, key, "unknown key "+diag.Quote(k.Value)+" is passed over", "")
		}
	}
}

func (d *decoder) text(n *yaml.Node, key string) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str":
		return n.Value, true
	case n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null":
		d.add(diag.Error, n, key, "must be a text but is "+diag.Describe(n), fmt.Sprintf("put it in quotes: '%s'", diag.Shorten(n.Value, 60)))
	default:
		d.add(diag.Error, n, key, "must be a text but is "+diag.Describe(n), "")
	}
	return "", false
}

// secret is text, without the value in what is said about it.
func (d *decoder) secret(n *yaml.Node, key string) (string, bool) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		return n.Value, true
	}
	fix := "`landbridge registration generate` makes strong tokens"
	if n.Kind == yaml.ScalarNode && n.ShortTag() != "!!null" {
		fix = "put it in quotes"
	}
	d.add(diag.Error, n, key, "must be a text but is "+diag.DescribeKind(n), fix)
	return "", false
}

// truth reads true or false, and with a warning what YAML 1.1 took for them: other
// homeservers' parsers still do.
func (d *decoder) truth(n *yaml.Node, key string) (value, ok bool) {
	if n.Kind == yaml.ScalarNode {
		if n.ShortTag() == "!!bool" {
			return strings.EqualFold(n.Value, "true"), true
		}
		if n.ShortTag() == "!!str" && n.Style == 0 {
			v := strings.ToLower(n.Value)
			if yes := v == "yes" || v == "on"; yes || v == "no" || v == "off" {
				d.add(diag.Warning, n, key, "is written "+diag.Quote(n.Value)+", which newer YAML reads as a text", fmt.Sprintf("write %t", yes))
				return yes, true
			}
		}
	}
	fix := "write true or false"
	if n.Kind == yaml.ScalarNode && (n.Value == "true" || n.Value == "false") {
		fix = "write " + n.Value + " without quotes"
	}
	d.add(diag.Error, n, key, "must be true or false but is "+diag.Describe(n), fix)
	return false, false
}

// url reads the one key that may be null and must not be left out.
func (d *decoder) url(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	text, ok := d.text(n, "url")
	if !ok {
		return
	}
	if text == "" {
		d.add(diag.Warning, n, "url", "is empty, which is taken as null: no events are sent to the service", "write url: null")
	}
	d.reg.URL = strings.TrimRight(text, "/")
}

func (d *decoder) protocols(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" {
		return
	}
	if n.Kind != yaml.SequenceNode {
		d.add(diag.Error, n, "protocols", "must be a list but is "+diag.Describe(n), "write [irc], say")
		return
	}
	if len(n.Content) > MaxProtocols {
		d.add(diag.Error, n, "protocols", fmt.Sprintf("has %d entries, more than the limit of %d", len(n.Content), MaxProtocols), "")
		return
	}
	for i, item := range n.Content {
		if text, ok := d.text(diag.Resolve(item), fmt.Sprintf("protocols[%d]", i)); ok {
			d.reg.Protocols = append(d.reg.Protocols, text)
		}
	}
}

func (d *decoder) namespaces(n *yaml.Node) {
	if n.Kind != yaml.MappingNode {
		d.add(diag.Error, n, "namespaces", "must hold users, aliases and rooms but is "+diag.Describe(n), "write {} if there are none")
		return
	}
	d.mapping(n, "namespaces", []string{"users", "aliases", "rooms"}, func(kind string, n *yaml.Node) {
		list := d.namespaceList(n, "namespaces."+kind)
		switch kind {
		case "users":
			d.reg.Namespaces.Users = list
		case "aliases":
			d.reg.Namespaces.Aliases = list
		case "rooms":
			d.reg.Namespaces.Rooms = list
		}
	})
}

func (d *decoder) namespaceList(n *yaml.Node, path string) []Namespace {
	const example = "write a list: - {exclusive: true, regex: '@irc_.*:example\\.org$'}"
	switch {
	case n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null":
		return nil
	case n.Kind != yaml.SequenceNode:
		d.add(diag.Error, n, path, "must be a list but is "+diag.Describe(n), example)
		return nil
	case len(n.Content) > MaxNamespaces:
		d.add(diag.Error, n, path, fmt.Sprintf("has %d entries, more than the limit of %d", len(n.Content), MaxNamespaces), "join them into fewer expressions")
		return nil
	}
	var list []Namespace
	for i, item := range n.Content {
		key := fmt.Sprintf("%s[%d]", path, i)
		d.reg.origin.places[key] = place{item.Line, item.Column}
		item = diag.Resolve(item)
		if item.Kind != yaml.MappingNode {
			d.add(diag.Error, item, key, "must have the keys exclusive and regex but is "+diag.Describe(item), example)
			list = append(list, Namespace{})
			continue
		}
		var ns Namespace
		// group_id was for communities, the predecessor of spaces; old files have it.
		d.mapping(item, key, []string{"regex", "exclusive", "group_id"}, func(k string, v *yaml.Node) {
			switch k {
			case "regex":
				ns.Regex, _ = d.text(v, key+".regex")
			case "exclusive":
				ns.Exclusive, _ = d.truth(v, key+".exclusive")
			}
		})
		for _, k := range []string{"regex", "exclusive"} {
			if !d.seen[key+"."+k] {
				fix := "add exclusive: true if nobody else may use these names, else exclusive: false"
				if k == "regex" {
					fix = "add regex: '@irc_.*:example\\.org$', say"
				}
				d.add(diag.Error, item, key, "the key "+k+" is missing", fix)
			}
		}
		list = append(list, ns)
	}
	return list
}

// switches is one switch with a stable and unstable names. The stable one decides.
type switches struct {
	any, stable, hasStable bool
	at                     *yaml.Node
	key                    string
}

func (s *switches) set(d *decoder, n *yaml.Node, key string, stable bool) {
	v, ok := d.truth(n, key)
	if !ok {
		return
	}
	if stable {
		s.stable, s.hasStable = v, true
		return
	}
	if v || s.at == nil {
		s.any, s.at, s.key = v, n, key
	}
}

func (s *switches) result(d *decoder) bool {
	if !s.hasStable {
		return s.any
	}
	if s.at != nil && s.any != s.stable {
		d.add(diag.Warning, s.at, s.key, fmt.Sprintf("says %t, but the stable name of the same switch says %t, which counts", s.any, s.stable), "make them agree")
	}
	return s.stable
}

// fileProblem tells of a file that could not be read.
func fileProblem(path string, err error) Problem {
	p := Problem{File: path, Message: "cannot be read: " + pathlessError(err, path)}
	switch {
	case os.IsNotExist(err):
		p.Message, p.Fix = "there is no such file", "check the path"
	case os.IsPermission(err):
		p.Message, p.Fix = "cannot be read: permission denied", "let the user that Landbridge runs as read it"
	}
	return p
}

func pathlessError(err error, path string) string {
	text := err.Error()
	for _, prefix := range []string{"open ", "read ", "stat ", "lstat "} {
		text = strings.TrimPrefix(text, prefix+path+": ")
	}
	return strings.TrimPrefix(text, path+" ")
}
