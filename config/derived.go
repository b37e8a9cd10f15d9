package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// PublicURL is server.public_url without a slash at the end, or, if that is empty, what
// follows from the rest: the first listener for a server called localhost, else https and
// the server's name.
func (c *Config) PublicURL() string {
	if c.Server.PublicURL != "" {
		return strings.TrimRight(c.Server.PublicURL, "/")
	}
	name, _, _ := strings.Cut(c.Server.Name, ":")
	if name != "localhost" || len(c.Server.Listen) == 0 {
		return "https://" + c.Server.Name
	}
	host, port, err := net.SplitHostPort(c.Server.Listen[0])
	if err != nil {
		return "http://localhost"
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// ACMEDomains are acme.domains, or the hosts of server.public_url and of server.name.
func (c *Config) ACMEDomains() []string {
	if len(c.ACME.Domains) > 0 {
		return c.ACME.Domains
	}
	var out []string
	if u, err := url.Parse(c.PublicURL()); err == nil && u.Hostname() != "" {
		out = append(out, u.Hostname())
	}
	if name, _, _ := strings.Cut(c.Server.Name, ":"); !slices.Contains(out, name) {
		out = append(out, name)
	}
	return out
}

// ACMEPath is the folder of the certificates and the account's key.
func (c *Config) ACMEPath() string { return filepath.Join(c.DataDir, "acme") }

// DatabaseURI is database.uri, or a SQLite file in the data folder.
func (c *Config) DatabaseURI() URI {
	if c.Database.URI != "" {
		return c.Database.URI
	}
	return URI("sqlite:" + filepath.Join(c.DataDir, "landbridge.db"))
}

// MediaPath is media.path, or a folder in the data folder.
func (c *Config) MediaPath() string {
	if c.Media.Path != "" {
		return c.Media.Path
	}
	return filepath.Join(c.DataDir, "media")
}

// BackupFolder is backup.folder, or a folder in the data folder.
func (c *Config) BackupFolder() string {
	if c.Backup.Folder != "" {
		return c.Backup.Folder
	}
	return filepath.Join(c.DataDir, "backups")
}

// Frozen is media.freeze_old_after as a time; zero if that is empty.
func (m Media) Frozen() time.Time {
	t, err := parseTime(m.FreezeOldAfter)
	if err != nil {
		return time.Time{} // the configuration has been checked
	}
	return t
}

// parseTime reads a date or a time; an empty text is the zero time.
func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.DateOnly, s); err == nil {
		return t, nil
	}
	return time.Parse(time.RFC3339, s)
}

// Networks are url_previews.allow_networks.
func (p URLPreviews) Networks() []netip.Prefix { return networks(p.AllowNetworks) }

// Networks are identity_servers.allow_networks.
func (i Identity) Networks() []netip.Prefix { return networks(i.AllowNetworks) }

func networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if n, err := netip.ParsePrefix(s); err == nil { // the configuration has been checked
			out = append(out, n)
		}
	}
	return out
}

// Reach is bridge_host.url without a slash at the end, or what follows from bridge_host.listen.
func (b BridgeHost) Reach() string {
	if b.URL != "" {
		return strings.TrimRight(b.URL, "/")
	}
	host, port, err := net.SplitHostPort(b.Listen)
	if err != nil {
		return "" // the configuration has been checked
	}
	if addr, err := netip.ParseAddr(host); host == "" || err == nil && addr.IsUnspecified() {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}
