package config

import (
	"fmt"
	"net/mail"
	"net/netip"
	"net/url"
	"strings"

	"github.com/landbridge-im/landbridge/config/diag"
)

func (v *validator) acme() {
	a := v.config.ACME
	for _, addr := range a.Listen {
		v.address("acme.listen", addr)
	}
	for _, addr := range a.HTTPListen {
		v.address("acme.http_listen", addr)
	}
	if _, err := mail.ParseAddress(a.Email); a.Email != "" && (err != nil || strings.ContainsAny(a.Email, "<> ")) {
		v.add("acme.email", diag.Quote(a.Email)+" is no e-mail address", "write admin@example.org, or leave it empty")
	}
	if u, err := url.Parse(a.Directory); err != nil || u.Scheme != "https" || u.Host == "" {
		v.add("acme.directory", diag.Quote(a.Directory)+" is no https address", "write https://acme-v02.api.letsencrypt.org/directory")
	}
	for i, name := range a.Domains {
		if why := noDomain(name); why != "" {
			v.add("acme.domains", fmt.Sprintf("entry %d, %s, %s", i+1, diag.Quote(name), why), "write a name such as matrix.example.org")
		}
	}
	if !a.Enabled {
		return
	}
	if !a.AgreeToTerms {
		v.add("acme.agree_to_terms", "must be true where acme.enabled is: certificates are made for those who agree to the authority's terms alone",
			"read them (https://letsencrypt.org/repository) and write agree_to_terms: true")
	}
	if len(a.Listen) == 0 {
		v.add("acme.listen", "is empty, so nothing would use the certificates", `write [":443"]`)
	}
	if len(a.Domains) > 0 {
		return
	}
	for _, name := range v.config.ACMEDomains() {
		if why := noDomain(name); why != "" {
			v.add("acme.domains", fmt.Sprintf("is empty, and %s, which would be taken from server.public_url or server.name, %s", diag.Quote(name), why),
				"write a name such as matrix.example.org")
		}
	}
}

// noDomain tells why a name is none that a public authority makes certificates for; "" if it is one.
func noDomain(name string) string {
	if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
		return "is an address, for which there are no certificates"
	}
	switch err := CheckServerName(name); {
	case err != nil:
		return "which is no name: " + err.Error()
	case strings.Contains(name, ":"):
		return "has a port"
	case !strings.Contains(name, "."):
		return "is no name that others could look up"
	}
	return ""
}
