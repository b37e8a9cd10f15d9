package config

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/landbridge-im/landbridge/config/diag"
)

func (v *validator) media() {
	m := v.config.Media
	v.size("media.max_upload", m.MaxUpload, 1, 16<<30)
	if _, err := parseTime(m.FreezeOldAfter); err != nil {
		v.add("media.freeze_old_after", diag.Quote(m.FreezeOldAfter)+" is no date", `write "2026-01-31" or "2026-01-31T12:00:00Z", say`)
	}
	v.size("media.user_quota", m.UserQuota, 0, 1<<50)
	if m.UserQuotaFiles < 0 {
		v.add("media.user_quota_files", fmt.Sprintf("must not be negative but is %d", m.UserQuotaFiles), "write 0 for no bound")
	}
	v.size("media.cache_size", m.CacheSize, 1<<20, 1<<50)
	v.size("media.thumbnail_cache_size", m.ThumbnailCacheSize, 1<<20, 1<<50)
	for _, d := range []struct {
		key   string
		value Duration
		zero  string
	}{
		{"media.user_quota_window", m.UserQuotaWindow, "write 0s to count all files"},
		{"media.cache_age", m.CacheAge, "write 0s to keep them while there is room"},
		{"media.delete_redacted_after", m.DeleteRedactedAfter, "write 0s to delete nothing"},
	} {
		if d.value < 0 {
			v.add(d.key, "must not be negative but is "+d.value.String(), d.zero)
		}
	}
	v.s3(m.S3)
}

func (v *validator) s3(s S3) {
	if s.Endpoint == "" {
		for _, k := range []struct{ key, value string }{{"bucket", s.Bucket}, {"access_key", s.AccessKey}, {"secret_key", s.SecretKey.Reveal()}} {
			if k.value != "" {
				v.add("media.s3."+k.key, "is set without media.s3.endpoint", "write endpoint: https://s3.example.org, say, or remove it")
			}
		}
		return
	}
	u, err := url.Parse(s.Endpoint)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil:
		v.add("media.s3.endpoint", "is no http or https address", "write https://s3.example.org, say")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		v.add("media.s3.endpoint", diag.Quote(s.Endpoint)+" has more than host and port", "name the bucket in media.s3.bucket")
	}
	for _, k := range []struct{ key, value string }{{"bucket", s.Bucket}, {"access_key", s.AccessKey}, {"secret_key", s.SecretKey.Reveal()}} {
		if k.value == "" {
			v.add("media.s3."+k.key, "is missing", "write it, or leave media.s3.endpoint empty to keep files in a folder")
		}
	}
	if strings.HasPrefix(s.Prefix, "/") || strings.Contains(s.Prefix, "//") {
		v.add("media.s3.prefix", diag.Quote(s.Prefix)+" makes names of objects with empty parts", "write landbridge/, say")
	}
}

// identityServer is the name of an identity server, with its port if that isn't 443.
var identityServer = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^([0-9a-z.-]{1,230}|\[[0-9a-f:.]{2,45}\])(:[0-9]{1,5})?$`)
})

func (v *validator) identity() {
	for _, text := range v.config.Identity.Trusted {
		if text != "*" && !identityServer().MatchString(text) {
			v.add("identity_servers.trusted", diag.Quote(text)+" is no name of a server", `write "vector.im", say, in small letters and without https://`)
		}
	}
	for _, text := range v.config.Identity.AllowNetworks {
		if _, err := netip.ParsePrefix(text); err != nil {
			v.add("identity_servers.allow_networks", diag.Quote(text)+" is no network", `write "10.1.0.0/16", say`)
		}
	}
}

func (v *validator) previews() {
	p := v.config.URLPreviews
	for _, list := range []struct {
		key    string
		values []string
	}{{"url_previews.allow", p.Allow}, {"url_previews.deny", p.Deny}} {
		for _, text := range list.values {
			host, _, _ := strings.Cut(text, "/")
			if host == "" || strings.Contains(text, "://") || strings.ContainsAny(text, " \t\r\n[]\\") {
				v.add(list.key, diag.Quote(text)+" is no pattern of pages", `write "*.example.org" or "example.org/private/*", say`)
			}
		}
	}
	for _, text := range p.AllowNetworks {
		if _, err := netip.ParsePrefix(text); err != nil {
			v.add("url_previews.allow_networks", diag.Quote(text)+" is no network", `write "10.1.0.0/16", say`)
		}
	}
	for _, k := range []struct{ key, value string }{{"language", p.Language}, {"user_agent", p.UserAgent}} {
		if len(k.value) > 255 || strings.ContainsFunc(k.value, func(c rune) bool { return c < ' ' || c > '~' }) {
			v.add("url_previews."+k.key, "cannot be sent in a header", "use up to 255 plain letters")
		}
	}
}
