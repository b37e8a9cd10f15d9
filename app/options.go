package app

import (
	"time"

	"github.com/landbridge-im/landbridge/config"
	"github.com/landbridge-im/landbridge/homeserver"
	"github.com/landbridge-im/landbridge/homeserver/accounts"
	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mail"
	"github.com/landbridge-im/landbridge/homeserver/retention"
	"github.com/landbridge-im/landbridge/homeserver/sso"
)

// options are what a configuration says of the homeserver.
func options(c *config.Config, version string) homeserver.Options {
	o := homeserver.Options{
		Name: c.Server.Name, Version: version, PublicURL: c.PublicURL(), Dir: c.DataDir, Database: c.DatabaseURI().Reveal(), Readers: c.Database.MaxReaders,
		Relaxed: c.Database.Synchronous == "normal", SharedSecret: c.Registration.SharedSecret.Reveal(), PasswordMin: c.Registration.PasswordMin, Settings: settings(c),
		Media: mediaOptions(c), Previews: previewOptions(c), TellKnown: c.Mail.TellKnown, TrustedProxies: c.Server.Proxies(),
		Lifetimes: accounts.Lifetimes{Access: c.Sessions.AccessLifetime.Std(), Refreshable: c.Sessions.RefreshableLifetime.Std(),
			Refresh: c.Sessions.RefreshLifetime.Std()},
		Push: pushOptions(c), VoIP: voip(c), IdentityServers: c.Identity.Trusted, IdentityNetworks: c.Identity.Networks(),
		Search:     c.Search.Messages,
		NoPresence: !c.Presence.Enabled, UncheckedKeys: !c.Encryption.CheckUploads,
		TrustedClients: c.Login.TrustedClients,
		OAuth:          homeserver.OAuthOptions{Enabled: c.OAuth.Enabled, BrowserLife: c.OAuth.BrowserLifetime.Std()},
		WellKnown: client.WellKnown{IdentityServer: c.WellKnown.IdentityServer, Extra: c.WellKnown.Extra(), Server: c.WellKnown.Server,
			SupportPage: c.WellKnown.SupportPage, PolicyKey: c.WellKnown.PolicyKey},
	}
	if d := c.Testing.ClockOffset.Std(); d != 0 {
		o.Now = func() time.Time { return time.Now().Add(d) }
	}
	for _, k := range c.WellKnown.SupportContacts {
		o.WellKnown.Contacts = append(o.WellKnown.Contacts, client.Contact{MatrixID: k.MatrixID, Email: k.Email, Role: k.Role})
	}
	if j := c.Login.JWT; j.Secret != "" {
		o.JWT = &accounts.JWT{Algorithm: j.Algorithm, Secret: j.Secret.Reveal(), Issuer: j.Issuer, Audiences: j.Audiences,
			SubjectClaim: j.SubjectClaim, DisplayNameClaim: j.NameClaim}
	}
	for _, p := range c.Login.OIDC {
		o.Providers = append(o.Providers, sso.Provider{ID: p.ID, Name: p.Name, Brand: p.Brand, Icon: p.Icon, Issuer: p.Issuer, ClientID: p.ClientID,
			ClientSecret: p.ClientSecret.Reveal(), Scopes: p.Scopes, LocalpartClaim: p.LocalpartClaim, NameClaim: p.NameClaim, EmailClaim: p.EmailClaim,
			Register: p.Register, Existing: p.Existing})
	}
	return o
}

// mailer sends mail as a configuration says; nil if it says nothing of it.
func mailer(c *config.Config) (homeserver.Mailer, error) {
	m := c.Mail
	if m.Server == "" {
		return nil, nil
	}
	return mail.New(mail.Options{From: m.From, Templates: m.Templates,
		Server: mail.Server{Address: m.Server, Security: mail.Security(m.Security), User: m.User, Password: m.Password.Reveal()}})
}

func policies(c *config.Config) []accounts.Policy {
	var out []accounts.Policy
	for _, p := range c.Registration.Terms {
		out = append(out, accounts.Policy{ID: p.ID, Version: p.Version, Language: p.Language, Name: p.Name, URL: p.URL})
	}
	return out
}

// retentionPolicy is how long messages are kept.
func retentionPolicy(c *config.Config) retention.Policy {
	r := c.Retention
	return retention.Policy{Lifetime: r.Messages.Std(), Rooms: r.Rooms, Min: r.RoomsMin.Std(), Max: r.RoomsMax.Std()}
}
