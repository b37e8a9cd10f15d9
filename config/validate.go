package config

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/landbridge-im/landbridge/config/diag"
)

// validate checks the values of the keys that are not in bad.
func (c *Config) validate(bad map[string]bool) Problems {
	v := &validator{config: c, bad: bad}
	v.server()
	if c.DataDir == "" {
		v.add("data_dir", "is empty", "name a folder, ./data say")
	}
	v.database()
	v.registration()
	v.accounts()
	v.rateLimits()
	v.acme()
	v.federation()
	v.push()
	v.voip()
	v.media()
	v.retention()
	v.tracing()
	v.previews()
	v.identity()
	v.size("limits.max_request_body", c.Limits.MaxRequestBody, 64<<10, 1<<30)
	if d := c.Limits.SyncTimeoutMax.Std(); d < time.Second || d > time.Hour {
		v.add("limits.sync_timeout_max", "must be from 1s to 1h but is "+c.Limits.SyncTimeoutMax.String(), "write 1m")
	}
	for i, path := range c.AppServices.Registrations {
		if strings.TrimSpace(path) == "" {
			v.add("app_services.registrations", fmt.Sprintf("entry %d is empty", i+1), "name a file, a folder or a glob")
		}
	}
	v.bridges()
	v.bridgeHost()
	v.oneOf("rooms.default_version", c.Rooms.DefaultVersion, "3", "4", "5", "6", "7", "8", "9", "10", "11", "12")
	v.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	v.oneOf("log.format", c.Log.Format, "text", "json")
	v.address("metrics.listen", c.Metrics.Listen)
	v.backup()
	v.operations()
	v.claims()
	v.testing()
	v.distinctAddresses()
	return v.problems
}

// testing keeps what is for tests out of servers that others use.
func (v *validator) testing() {
	c := v.config
	if c.Testing.ClockOffset == 0 {
		return
	}
	if d := c.Testing.ClockOffset.Std().Abs(); d > 24*time.Hour {
		v.add("testing.clock_offset", "must be at most 24h but is "+c.Testing.ClockOffset.String(), "write 10m, or -10m")
	}
	for _, addr := range slices.Concat(c.Server.Listen, c.Federation.Listen) {
		host, _, err := net.SplitHostPort(addr)
		if err != nil {
			continue // said elsewhere
		}
		if ip, err := netip.ParseAddr(host); host != "localhost" && (err != nil || !ip.IsLoopback()) {
			v.add("testing.clock_offset", "is for tests alone, but "+addr+" can be reached from other machines", "remove it")
			return
		}
	}
}

func (v *validator) backup() {
	b := v.config.Backup
	if d := b.Every.Std(); d != 0 && d < 10*time.Minute {
		v.add("backup.every", "must be 10m or more but is "+b.Every.String(), "write 24h, or 0s for none")
	}
	if b.Keep < 1 {
		v.add("backup.keep", fmt.Sprintf("must be 1 or more but is %d", b.Keep), "write 7")
	}
	for _, k := range []struct {
		key   string
		value int
	}{{"backup.keep_weekly", b.KeepWeekly}, {"backup.keep_monthly", b.KeepMonthly}} {
		if k.value < 0 {
			v.add(k.key, fmt.Sprintf("must not be negative but is %d", k.value), "write 0 for none")
		}
	}
}

type validator struct {
	config   *Config
	bad      map[string]bool
	problems Problems
}

func (v *validator) add(key, message, fix string) {
	if !v.bad[key] {
		v.problems = append(v.problems, v.config.problem(key, message, fix))
	}
}

func (v *validator) oneOf(key, value string, allowed ...string) {
	if slices.Contains(allowed, value) {
		return
	}
	fix := "write " + strings.Join(allowed[:len(allowed)-1], ", ") + " or " + allowed[len(allowed)-1]
	if near := diag.Nearest(value, allowed); near != "" {
		fix = "write " + near + " if that is what was meant"
	}
	v.add(key, "is "+diag.Quote(value), fix)
}

func (v *validator) size(key string, value, lowest, highest Size) {
	if value < lowest || value > highest {
		v.add(key, fmt.Sprintf("must be from %s to %s but is %s", lowest, highest, value), "")
	}
}

func (v *validator) server() {
	s := v.config.Server
	if err := CheckServerName(s.Name); err != nil {
		fix := "write a name such as example.org, without https:// and without a path"
		if bare := bareName(s.Name); bare != s.Name && CheckServerName(bare) == nil {
			fix = "write " + bare
		}
		v.add("server.name", err.Error(), fix)
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		switch {
		case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
			v.add("server.public_url", diag.Quote(s.PublicURL)+" is no http or https address", "write https://matrix.example.org, say")
		case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
			v.add("server.public_url", diag.Quote(u.Redacted())+" has more than host and path", "write https://matrix.example.org, say")
		}
	}
	if len(s.Listen) == 0 {
		v.add("server.listen", "is empty, so nobody could reach the server", `write ["127.0.0.1:8008"]`)
	}
	for _, addr := range s.Listen {
		v.address("server.listen", addr)
	}
}

// bareName is what remains of an address when people paste one for a name.
func bareName(s string) string {
	if _, after, ok := strings.Cut(s, "://"); ok {
		s = after
	}
	s = strings.TrimPrefix(s, "@")
	s, _, _ = strings.Cut(s, "/")
	return strings.ToLower(strings.TrimSpace(s))
}

func (v *validator) address(key, addr string) {
	const fix = `write host and port, "127.0.0.1:8008" or ":8008" for all addresses`
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		v.add(key, diag.Quote(addr)+" is no address to listen on", fix)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil {
		v.add(key, fmt.Sprintf("%s has no port from 0 to 65535", diag.Quote(addr)), fix)
	} else if strconv.FormatUint(n, 10) != port {
		v.add(key, fmt.Sprintf("%s has an odd port", diag.Quote(addr)), fmt.Sprintf("write %d", n))
	}
	if host == "" || strings.Trim(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") == "" {
		return
	}
	if _, err := netip.ParseAddr(host); err != nil {
		v.add(key, diag.Quote(addr)+" has no host that could be listened on", fix)
	}
}

// distinctAddresses refuses two listeners on one address; port 0 is a free one each time.
func (v *validator) distinctAddresses() {
	used := map[string]string{}
	check := func(key string, addrs ...string) {
		for _, addr := range addrs {
			if _, port, err := net.SplitHostPort(addr); err != nil || port == "0" {
				continue
			}
			if other := used[addr]; other != "" {
				v.add(key, diag.Quote(addr)+" is already used by "+other, "choose another port")
			}
			used[addr] = key
		}
	}
	c := v.config
	check("server.listen", c.Server.Listen...)
	if c.ACME.Enabled {
		check("acme.listen", c.ACME.Listen...)
		check("acme.http_listen", c.ACME.HTTPListen...)
	}
	if c.Federation.Enabled {
		check("federation.listen", c.Federation.Listen...)
	}
	if c.Metrics.Enabled {
		check("metrics.listen", c.Metrics.Listen)
	}
}

func (v *validator) database() {
	db := v.config.Database
	if err := checkDatabase(db.URI); err != "" {
		v.add("database.uri", err, "write sqlite:/var/lib/landbridge/landbridge.db or postgres://user:password@host/database?sslmode=disable")
	}
	if db.MaxReaders < 0 || db.MaxReaders > 1000 {
		v.add("database.max_readers", fmt.Sprintf("must be from 0 to 1000 but is %d", db.MaxReaders), "write 0 to have it chosen")
	}
	v.oneOf("database.synchronous", db.Synchronous, "full", "normal")
}

func checkDatabase(uri URI) string {
	s := uri.Reveal()
	switch {
	case s == "":
		return ""
	case strings.HasPrefix(s, "sqlite:"):
		path := strings.TrimPrefix(s, "sqlite:")
		if path == "" || strings.ContainsAny(path, "?#") {
			return diag.Quote(s) + " names no plain file"
		}
		return ""
	case strings.HasPrefix(s, "postgres://"), strings.HasPrefix(s, "postgresql://"):
		// The address may hold a password, so it is not repeated.
		if u, err := url.Parse(s); err != nil {
			return "is no valid postgres:// address; a password in it may need escapes such as %40 for @"
		} else if u.Host == "" && u.Query().Get("host") == "" {
			return "names no database host"
		}
		return ""
	}
	return "is neither sqlite: nor postgres://"
}

func (v *validator) registration() {
	if n := v.config.Registration.PasswordMin; n < 1 || n > 128 {
		v.add("registration.password_min", fmt.Sprintf("must be from 1 to 128 but is %d", n), "write 8")
	}
	r := v.config.Registration
	if s := r.SharedSecret.Reveal(); s != "" && len(s) < 8 {
		v.add("registration.shared_secret", fmt.Sprintf("has only %d characters and could be guessed", len(s)), "use 32 letters and digits")
	}
}

func (v *validator) rateLimits() {
	for _, f := range v.config.fields() {
		if !strings.HasPrefix(f.path, "rate_limits.") {
			continue
		}
		switch n := f.value.Interface().(type) {
		case float64:
			if !(n > 0 && n <= 1e6) || math.IsNaN(n) {
				v.add(f.path, "must be more than 0 and at most 1000000 but is "+f.text(), "write rate_limits: {enabled: false} to have no limits")
			}
		case int:
			if n < 1 || n > 1e6 {
				v.add(f.path, "must be from 1 to 1000000 but is "+f.text(), "write rate_limits: {enabled: false} to have no limits")
			}
		}
	}
}

func (v *validator) federation() {
	f := v.config.Federation
	for _, addr := range f.Listen {
		v.address("federation.listen", addr)
	}
	switch {
	case f.TLSCert != "" && f.TLSKey == "":
		v.add("federation.tls_cert", "is set without federation.tls_key", "name the file with the private key too")
	case f.TLSKey != "" && f.TLSCert == "":
		v.add("federation.tls_key", "is set without federation.tls_cert", "name the file with the certificate too")
	}
	for i, name := range f.KeyServers {
		if err := CheckServerName(name); err != nil {
			v.add("federation.key_servers", fmt.Sprintf("entry %d %s", i+1, err), "write the name of a server, such as matrix.org")
		}
	}
}

func (v *validator) push() {
	for _, s := range v.config.Push.AllowNetworks {
		if _, err := netip.ParsePrefix(s); err != nil {
			v.add("push.allow_networks", diag.Quote(s)+" is no network", "write 10.1.0.0/16 or fd00:1::/32, say")
		}
	}
}

func (v *validator) voip() {
	c := v.config.VoIP
	for _, s := range c.TURNURIs {
		scheme, rest, _ := strings.Cut(s, ":")
		if scheme != "turn" && scheme != "turns" && scheme != "stun" && scheme != "stuns" || rest == "" || strings.HasPrefix(rest, "//") {
			v.add("voip.turn_uris", diag.Quote(s)+" is no TURN server", "write turn:turn.example.org:3478?transport=udp, say")
		}
	}
	if d := c.TURNUserLifetime.Std(); d < time.Minute || d > 365*24*time.Hour {
		v.add("voip.turn_user_lifetime", "must be from 1m to a year but is "+c.TURNUserLifetime.String(), "write 24h")
	}
	switch {
	case c.TURNSecret != "" && (c.TURNUsername != "" || c.TURNPassword != ""):
		v.add("voip.turn_secret", "is set together with voip.turn_username or voip.turn_password", "keep one of the two ways")
	case (c.TURNUsername != "") != (c.TURNPassword != ""):
		v.add("voip.turn_username", "is set without voip.turn_password, or the other way round", "set both or neither")
	}
	for _, s := range c.LiveKitURLs {
		if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
			v.add("voip.livekit_urls", diag.Quote(s)+" is no http or https address", "write https://rtc.example.org, say")
		}
	}
}

func (v *validator) bridgeHost() {
	h := v.config.BridgeHost
	v.address("bridge_host.listen", h.Listen)
	for key, value := range map[string]string{"bridge_host.homeserver_url": h.HomeserverURL, "bridge_host.url": h.URL} {
		if value == "" {
			continue
		}
		u, err := url.Parse(value)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
			v.add(key, diag.Quote(value)+" is no http or https address", "write http://127.0.0.1:8008, say")
		}
	}
}

func (v *validator) bridges() {
	first := map[string]int{}
	for i, b := range v.config.Bridges {
		key := fmt.Sprintf("bridges[%d]", i)
		if v.bad[key] {
			continue
		}
		const fix = "use lower-case letters, digits, - and _, at most 32"
		for _, name := range []struct{ key, value, example string }{{"id", b.ID, "libera"}, {"module", b.Module, "irc"}} {
			switch {
			case v.bad[key+"."+name.key]:
			case name.value == "":
				v.add(key+"."+name.key, "is missing", "write "+name.key+": "+name.example+", say")
			case len(name.value) > 32 || strings.Trim(name.value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "":
				v.add(key+"."+name.key, diag.Quote(name.value)+" is no name for this", fix)
			}
		}
		switch b.Encryption {
		case "none", "allow", "default", "require":
		default:
			v.add(key+".encryption", diag.Quote(b.Encryption)+" is no kind of encryption", "write none, allow, default or require")
		}
		for _, admin := range b.Admins {
			if !strings.HasPrefix(admin, "@") || !strings.Contains(admin, ":") {
				v.add(key+".admins", diag.Quote(admin)+" is no user id", "write @anna:"+v.config.Server.Name+", say")
			}
		}
		for who, level := range b.Permissions {
			v.permission(key+".permissions."+who, who, level)
		}
		v.rooms(key+".rooms", b.Rooms)
		if n := len(b.Provisioning.Secret); n > 0 && n < 16 {
			v.add(key+".provisioning.secret", fmt.Sprintf("has %d bytes; it must have 16 at least", n), "write what `openssl rand -hex 32` prints, say")
		}
		if u := b.MessageStatus.URL; u != "" {
			if p, err := url.Parse(u); err != nil || p.Scheme != "http" && p.Scheme != "https" || p.Hostname() == "" {
				v.add(key+".message_status.url", diag.Quote(u)+" is no http or https address", "write https://status.example.org/checkpoints, say")
			}
		}
		if j, ok := first[b.ID]; ok && b.ID != "" {
			v.add(key+".id", fmt.Sprintf("%s is also the id of bridges[%d]", diag.Quote(b.ID), j), "give each bridge an id of its own")
		} else {
			first[b.ID] = i
		}
	}
}

// permission checks what somebody may do with a bridge.
func (v *validator) permission(key, who, level string) {
	switch level {
	case "block", "relay", "commands", "user", "admin":
	default:
		v.add(key, diag.Quote(level)+" is no permission", "write block, relay, commands, user or admin")
	}
	name := who
	if strings.HasPrefix(who, "@") {
		_, name, _ = strings.Cut(who, ":")
	}
	if who != "*" && (name == "" || CheckServerName(name) != nil) {
		v.add(key, diag.Quote(who)+" is nobody", "write a user id, a server's name or \"*\"")
	}
}

// rooms checks the mapping of a bridge's channels.
func (v *validator) rooms(key string, r BridgeRooms) {
	v.oneOf(key+".members", r.Members, "all", "active", "none")
	seen := map[string]string{}
	once := func(key, what, value string) {
		if other, ok := seen[what+" "+value]; ok && value != "" {
			v.add(key, fmt.Sprintf("the %s %s is that of %s, too", what, diag.Quote(value), other), "")
		}
		seen[what+" "+value] = key
	}
	for i, c := range r.Channels {
		key := fmt.Sprintf("%s.channels[%d]", key, i)
		if c.Channel == "" {
			v.add(key+".channel", "is missing", "write what `!ID id` tells in a room, such as channel: libera/#go")
		}
		once(key+".channel", "channel", strings.ToLower(c.Channel))
		once(key+".room", "room", c.Room)
		if c.Members != "" {
			v.oneOf(key+".members", c.Members, "all", "active", "none")
		}
		for name, room := range map[string]string{"room": c.Room, "space": c.Space} {
			if room != "" && !(len(room) < 256 && (room[0] == '!' && len(room) > 1 || room[0] == '#' && strings.Contains(room, ":"))) {
				v.add(key+"."+name, diag.Quote(room)+" is no room", `write "#name:server" or "!id", in quotes`)
			}
		}
		for _, a := range c.Aliases {
			once(key+".aliases", "alias", a)
			if a == "" || len(a) > 200 || strings.ContainsAny(a, ":#\x00 ") {
				v.add(key+".aliases", diag.Quote(a)+" is no localpart", "write the part between # and :")
			}
		}
	}
}

// maxReminders bounds how often somebody is written to.
const maxReminders = 10

// claims checks how people are invited.
func (v *validator) claims() {
	c := v.config.Claims
	if c.OfferLifetime < Duration(time.Hour) || c.OfferLifetime > Duration(365*24*time.Hour) {
		v.add("claims.offer_lifetime", "must be from 1h to 8760h but is "+c.OfferLifetime.String(), "write 336h")
	}
	if len(c.Reminders) > maxReminders {
		v.add("claims.reminders", fmt.Sprintf("may have %d entries but has %d", maxReminders, len(c.Reminders)), "leave some out: people do not want to be written to so often")
	}
	for i, r := range c.Reminders {
		if d, err := ParseDuration(r); err != nil || d < Duration(time.Hour) {
			v.add(fmt.Sprintf("claims.reminders[%d]", i), "must be a duration of 1h or more but is "+diag.Quote(r), "write 72h")
		}
	}
	if c.MessagesPerMinute < 1 || c.MessagesPerMinute > 6000 {
		v.add("claims.messages_per_minute", fmt.Sprintf("must be from 1 to 6000 but is %d", c.MessagesPerMinute), "write 20")
	}
}

// leastLifetime is the least that messages may be told to be kept.
const leastLifetime = Duration(time.Hour)

// retention checks how long messages are kept.
func (v *validator) retention() {
	r := v.config.Retention
	for _, d := range []struct {
		key   string
		value Duration
		zero  string
	}{
		{"retention.messages", r.Messages, "write 0s to keep messages for ever"},
		{"retention.rooms_min", r.RoomsMin, "write 0s for no bound"},
		{"retention.rooms_max", r.RoomsMax, "write 0s for no bound"},
	} {
		if d.value != 0 && d.value < leastLifetime {
			v.add(d.key, "must be "+leastLifetime.String()+" or more but is "+d.value.String(), d.zero)
		}
	}
	if r.RoomsMax != 0 && r.RoomsMax < r.RoomsMin {
		v.add("retention.rooms_max", "is less than retention.rooms_min", "write 0s for no bound")
	}
}

// tracing checks where traces go.
func (v *validator) tracing() {
	t := v.config.Tracing
	if t.Sample < 0 || t.Sample > 1 {
		v.add("tracing.sample", fmt.Sprintf("must be from 0 to 1 but is %v", t.Sample), "write 0.1 for a tenth")
	}
	if t.Endpoint == "" {
		return
	}
	u, err := url.Parse(t.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.HasSuffix(u.Path, "/") {
		v.add("tracing.endpoint", "is no http or https address", "write http://127.0.0.1:4318, say, without a slash at its end")
	}
}
