package config

import (
	"time"

	"gopkg.in/yaml.v3"
)

// Config is the whole configuration. The yaml tag of a field is its key; the tag
// `reload:"yes"` says that a running server takes a new value over, see [Reloadable].
type Config struct {
	Server       Server       `yaml:"server"`
	DataDir      string       `yaml:"data_dir"` // everything that is kept, unless another key says otherwise
	Database     Database     `yaml:"database"`
	Registration Registration `yaml:"registration"`
	Login        Login        `yaml:"login"`
	OAuth        OAuth        `yaml:"oauth"`
	Sessions     Sessions     `yaml:"sessions"`
	Mail         Mail         `yaml:"mail"`
	WellKnown    WellKnown    `yaml:"well_known"`
	Rooms        Rooms        `yaml:"rooms" reload:"yes"`
	RateLimits   RateLimits   `yaml:"rate_limits" reload:"yes"`
	ACME         ACME         `yaml:"acme"`
	Federation   Federation   `yaml:"federation"`
	Media        Media        `yaml:"media"`
	Push         Push         `yaml:"push"`
	Identity     Identity     `yaml:"identity_servers"`
	VoIP         VoIP         `yaml:"voip"`
	URLPreviews  URLPreviews  `yaml:"url_previews"`
	Limits       Limits       `yaml:"limits" reload:"yes"`
	Encryption   Encryption   `yaml:"encryption"`
	Presence     Presence     `yaml:"presence"`
	Search       Search       `yaml:"search"`
	Retention    Retention    `yaml:"retention" reload:"yes"`
	AppServices  AppServices  `yaml:"app_services" reload:"yes"`
	Bridges      []Bridge     `yaml:"bridges" reload:"yes"`
	BridgeHost   BridgeHost   `yaml:"bridge_host"`
	Log          Log          `yaml:"log"`
	Metrics      Metrics      `yaml:"metrics"`
	Tracing      Tracing      `yaml:"tracing"`
	Backup       Backup       `yaml:"backup" reload:"yes"`
	Migration    Migration    `yaml:"migration" reload:"yes"`
	Claims       Claims       `yaml:"claims" reload:"yes"`
	Testing      Testing      `yaml:"testing"`

	origins map[string]origin // by key path, of values that are not defaults
}

// Server is who the homeserver is and where clients reach it.
type Server struct {
	// Name is the part of user ids behind the colon. It can never be changed.
	Name string `yaml:"name"`
	// PublicURL is the base of the client API as clients see it, without a slash at the
	// end; empty means what [Config.PublicURL] derives.
	PublicURL string `yaml:"public_url"`
	// Listen are the addresses (host:port) of plain HTTP listeners.
	Listen []string `yaml:"listen"`
	// TrustedProxies are addresses and networks (10.0.0.0/8) of proxies whose X-Forwarded-For is
	// believed.
	TrustedProxies []string `yaml:"trusted_proxies"`
}

// Database is where rooms and accounts are kept.
type Database struct {
	// URI is sqlite:PATH or postgres://...; empty means a SQLite file in the data folder,
	// see [Config.DatabaseURI].
	URI URI `yaml:"uri"`
	// MaxReaders is how many connections read at once; 0 means chosen by the number of
	// processors.
	MaxReaders int `yaml:"max_readers"`
	// Synchronous is "full" (an acknowledged message survives a power cut) or "normal"
	// (it survives a crash of the program).
	Synchronous string `yaml:"synchronous"`
}

// Registration is who may make an account.
type Registration struct {
	// Open lets anybody do it.
	Open bool `yaml:"open" reload:"yes"`
	// SharedSecret lets scripts make accounts (/_synapse/admin/v1/register); empty: off.
	SharedSecret Secret `yaml:"shared_secret"`
	// SharedSecretFile holds the shared secret instead. [Load] reads it into SharedSecret.
	SharedSecretFile string `yaml:"shared_secret_file"`
	// AdminSignupToken makes a server without users print a token with which the first
	// account, an administrator's, can be made.
	AdminSignupToken bool `yaml:"admin_signup_token"`
	// Guests lets anybody make guest accounts.
	Guests bool `yaml:"guests" reload:"yes"`
	// RequireEmail asks for an e-mail address; it needs Mail.
	RequireEmail bool `yaml:"require_email" reload:"yes"`
	// Terms are to be accepted.
	Terms []Policy `yaml:"terms" reload:"yes"`
	// PasswordMin is the least length of a new password in bytes.
	PasswordMin int `yaml:"password_min"`
}

// Rooms are what rooms are made as.
type Rooms struct {
	// DefaultVersion is the version of new rooms unless a client asks for another.
	DefaultVersion string `yaml:"default_version"`
}

// RateLimits bound how often one user, or one address for those who are not logged in,
// may do something: so many times a second for ever, and Burst times at once.
type RateLimits struct {
	Enabled               bool    `yaml:"enabled"`
	LoginPerSecond        float64 `yaml:"login_per_second"`
	LoginBurst            int     `yaml:"login_burst"`
	RegistrationPerSecond float64 `yaml:"registration_per_second"`
	RegistrationBurst     int     `yaml:"registration_burst"`
	MessagePerSecond      float64 `yaml:"message_per_second"`
	MessageBurst          int     `yaml:"message_burst"`
	JoinPerSecond         float64 `yaml:"join_per_second"`
	JoinBurst             int     `yaml:"join_burst"`
	InvitePerSecond       float64 `yaml:"invite_per_second"`
	InviteBurst           int     `yaml:"invite_burst"`
	// Email are messages to e-mail addresses, counted for who asks and for who gets them.
	EmailPerSecond float64 `yaml:"email_per_second"`
	EmailBurst     int     `yaml:"email_burst"`
	// Stranger is what else can be asked without logging in.
	StrangerPerSecond float64 `yaml:"stranger_per_second"`
	StrangerBurst     int     `yaml:"stranger_burst"`
	UploadPerSecond   float64 `yaml:"upload_per_second"`
	UploadBurst       int     `yaml:"upload_burst"`
	PreviewPerSecond  float64 `yaml:"preview_per_second"`
	PreviewBurst      int     `yaml:"preview_burst"`
}

// ACME is how certificates are had from an authority, and where they are used.
type ACME struct {
	Enabled bool `yaml:"enabled"`
	// AgreeToTerms says that the authority's terms are agreed to; without it there are no certificates.
	AgreeToTerms bool `yaml:"agree_to_terms"`
	// Email is where the authority may write to.
	Email string `yaml:"email"`
	// Domains are the names to have certificates for; empty means what [Config.ACMEDomains] derives.
	Domains []string `yaml:"domains"`
	// Listen are the addresses of HTTPS listeners, for clients and other servers.
	Listen []string `yaml:"listen"`
	// HTTPListen are addresses without TLS, where the authority may look and others are sent to https.
	HTTPListen []string `yaml:"http_listen"`
	// Directory is where the authority begins.
	Directory string `yaml:"directory"`
}

// Federation is the exchange with other homeservers.
type Federation struct {
	Enabled bool `yaml:"enabled"`
	// Listen are additional listeners for other servers, with TLS if TLSCert is set or ACME is on. Empty:
	// the listeners of the server answer them, behind a reverse proxy.
	Listen  []string `yaml:"listen"`
	TLSCert string   `yaml:"tls_cert"` // PEM file
	TLSKey  string   `yaml:"tls_key"`  // PEM file
	// ExtraCA is a PEM file of certificate authorities that are trusted beside the system's.
	ExtraCA string `yaml:"extra_ca"`
	// AllowLoopback lets other servers be on this machine or in private networks.
	AllowLoopback bool `yaml:"allow_loopback"`
	// KeyServers are names of servers that are trusted to tell the signing keys of those that
	// don't answer.
	KeyServers []string `yaml:"key_servers"`
}

// Media are uploaded files.
type Media struct {
	MaxUpload Size `yaml:"max_upload"` // of one file
	// Path is the folder of files; empty means what [Config.MediaPath] derives.
	Path string `yaml:"path"`
	// AllowOldEndpoints serves files without authentication at /_matrix/media/v3 too.
	AllowOldEndpoints bool `yaml:"allow_old_endpoints" reload:"yes"`
	// FreezeOldAfter is a date or a time (RFC 3339): what came later is not served there. Empty:
	// everything is. See [Media.Frozen].
	FreezeOldAfter string `yaml:"freeze_old_after" reload:"yes"`
	// UserQuota and UserQuotaFiles are how much each user may upload, within UserQuotaWindow if
	// that is not 0; 0 is no bound.
	UserQuota       Size     `yaml:"user_quota"`
	UserQuotaFiles  int      `yaml:"user_quota_files"`
	UserQuotaWindow Duration `yaml:"user_quota_window"`
	// CacheSize bounds media of other servers and pictures of previews, and CacheAge, if not 0,
	// how long they are kept when nobody asks for them.
	CacheSize Size     `yaml:"cache_size"`
	CacheAge  Duration `yaml:"cache_age"`
	// ThumbnailCacheSize bounds thumbnails.
	ThumbnailCacheSize Size `yaml:"thumbnail_cache_size"`
	// DeleteRedactedAfter deletes a file so long after the last event that speaks of it was
	// redacted; 0: never.
	DeleteRedactedAfter Duration `yaml:"delete_redacted_after"`
	S3                  S3       `yaml:"s3"`
}

// S3 is an object store that keeps files instead of the folder.
type S3 struct {
	// Endpoint is its address, https://s3.example.org; empty: files are kept in the folder.
	Endpoint string `yaml:"endpoint"`
	Region   string `yaml:"region"`
	Bucket   string `yaml:"bucket"`
	// Prefix comes before the names of all objects.
	Prefix    string `yaml:"prefix"`
	AccessKey string `yaml:"access_key"`
	SecretKey Secret `yaml:"secret_key"`
	// SecretKeyFile holds the secret key instead. [Load] reads it into SecretKey.
	SecretKeyFile string `yaml:"secret_key_file"`
	// PathStyle puts the bucket into the path instead of the host's name.
	PathStyle bool `yaml:"path_style"`
}

// URLPreviews are what clients are told of web pages.
type URLPreviews struct {
	// Enabled lets the server read pages that users name.
	Enabled bool `yaml:"enabled"`
	// Allow and Deny are patterns of pages: a host with * and perhaps a path. If Allow is not
	// empty, only those are read; those in Deny never.
	Allow []string `yaml:"allow"`
	Deny  []string `yaml:"deny"`
	// AllowNetworks are private networks (10.1.0.0/16) whose pages may be read, too.
	AllowNetworks []string `yaml:"allow_networks"`
	// Language and UserAgent are sent to the pages.
	Language  string `yaml:"language"`
	UserAgent string `yaml:"user_agent"`
}

// Push is the notifying of phones by way of push gateways, which the users' clients choose.
type Push struct {
	// AllowLoopback lets gateways be on this machine or in private networks, and without TLS.
	AllowLoopback bool `yaml:"allow_loopback"`
	// AllowNetworks are networks (CIDR) in which gateways may be beside the public internet.
	AllowNetworks []string `yaml:"allow_networks"`
}

// Identity is with which identity servers this one works in its users' names.
type Identity struct {
	// Trusted are their names; "*" stands for whatever server a user's client names.
	Trusted []string `yaml:"trusted"`
	// AllowNetworks are networks (CIDR) in which they may be beside the public internet.
	AllowNetworks []string `yaml:"allow_networks"`
}

// VoIP is what clients are told about calls.
type VoIP struct {
	TURNURIs []string `yaml:"turn_uris"`
	// TURNSecret is shared with the TURN server, to make credentials that end after
	// TURNUserLifetime. Without it everybody is given TURNUsername and TURNPassword.
	TURNSecret       Secret   `yaml:"turn_secret"`
	TURNUserLifetime Duration `yaml:"turn_user_lifetime"`
	TURNUsername     string   `yaml:"turn_username"`
	TURNPassword     Secret   `yaml:"turn_password"`
	// LiveKitURLs are the addresses of services that give out tokens for LiveKit, for MatrixRTC
	// calls.
	LiveKitURLs []string `yaml:"livekit_urls"`
}

// Limits bound what strangers can send and ask for.
type Limits struct {
	MaxRequestBody Size     `yaml:"max_request_body"` // of JSON, not of files
	SyncTimeoutMax Duration `yaml:"sync_timeout_max"` // longest wait for news
}

// Encryption is what the server sees to of end-to-end encryption between its users.
type Encryption struct {
	// CheckUploads refuses device keys whose key material or signatures are nonsense.
	CheckUploads bool `yaml:"check_uploads"`
}

// Presence is whether users see that others are there.
type Presence struct {
	Enabled bool `yaml:"enabled"`
}

// Search is the search of messages and people.
type Search struct {
	// Messages lets people search what was said in rooms without encryption.
	Messages bool `yaml:"messages"`
	// AllUsers lets everybody find all who have an account here, and not only whom they share a
	// room with or could meet in a public one.
	AllUsers bool `yaml:"all_users" reload:"yes"`
}

// Retention is how long messages are kept.
type Retention struct {
	// Messages is their lifetime in rooms that say nothing; 0: for ever.
	Messages Duration `yaml:"messages"`
	// Rooms lets rooms say it themselves, by m.room.retention (MSC1763), within RoomsMin and RoomsMax, of which 0 is no
	// bound.
	Rooms    bool     `yaml:"rooms"`
	RoomsMin Duration `yaml:"rooms_min"`
	RoomsMax Duration `yaml:"rooms_max"`
}

// Testing has what only tests want of a server.
type Testing struct {
	// ClockOffset is by how much the server's clock is wrong. It is refused where others than this machine
	// can reach the server.
	ClockOffset Duration `yaml:"clock_offset"`
}

// Tracing sends OpenTelemetry traces to a collector.
type Tracing struct {
	// Endpoint is the collector's address (OTLP over HTTP); empty: nothing is traced.
	Endpoint string `yaml:"endpoint"`
	// Authorization is the header of that name, if the collector wants one.
	Authorization Secret `yaml:"authorization"`
	// Sample is the share of what happens that is traced, from 0 to 1.
	Sample float64 `yaml:"sample"`
}

// AppServices are the application services registered with YAML files.
type AppServices struct {
	// Registrations are files, folders (of which *.yaml and *.yml are read) or globs.
	Registrations []string `yaml:"registrations"`
}

// Bridge is a bridge module in this process.
type Bridge struct {
	// ID names the bridge for ever: its database, its users. Unique.
	ID string `yaml:"id"`
	// Module is the kind of bridge, "irc" say.
	Module string `yaml:"module"`
	// Enabled may be false to keep a bridge's configuration without running it.
	Enabled bool `yaml:"enabled"`
	// Encryption is none, allow (take part in encrypted rooms), default (encrypt the rooms that
	// the bridge makes) or require (drop what is not encrypted).
	Encryption string `yaml:"encryption"`
	// Admins are the user ids of those who may give the bridge's bot every command.
	Admins []string `yaml:"admins"`
	// Permissions say what somebody may do with the bridge: block, relay, commands, user or admin, by user id,
	// server name or "*". Those not named may do what appservice.Instance says.
	Permissions map[string]string `yaml:"permissions"`
	// Rooms maps the network's channels to rooms; see appservice/community.Mapping.
	Rooms BridgeRooms `yaml:"rooms"`
	// Provisioning is its HTTP API for other programs.
	Provisioning Provisioning `yaml:"provisioning"`
	// MessageStatus is who is told what became of messages.
	MessageStatus MessageStatus `yaml:"message_status"`
	// Config is the module's own, or nil; its nodes know their lines in the file. It may
	// hold secrets: never print it.
	Config *yaml.Node `yaml:"config" json:"-"`
}

// Provisioning is the HTTP API of a bridge for other programs.
type Provisioning struct {
	// Secret lets programs in; empty: there is no such API.
	Secret Secret `yaml:"secret"`
}

// MessageStatus is who is told what became of messages.
type MessageStatus struct {
	// Events has the bridge tell it in the rooms, for clients that know com.beeper.message_send_status.
	Events bool `yaml:"events"`
	// URL is an endpoint that is told how far each message got, and Token what it wants to see.
	URL   string `yaml:"url"`
	Token Secret `yaml:"token"`
}

// BridgeRooms says what rooms the channels of a bridge have.
type BridgeRooms struct {
	// Members is all, active or none: whose ghosts are in the rooms.
	Members  string       `yaml:"members"`
	Channels []BridgeRoom `yaml:"channels"`
}

// BridgeRoom is what one channel is to be on Matrix.
type BridgeRoom struct {
	// Channel is how the module names it.
	Channel string `yaml:"channel"`
	// Room is an existing room, id or alias, in which it is to be.
	Room string `yaml:"room"`
	// Aliases are localparts.
	Aliases []string `yaml:"aliases"`
	// Space is a space, id or alias, in which the room is to be.
	Space string `yaml:"space"`
	// Members is all, active or none; empty means what is so for all.
	Members string `yaml:"members"`
}

// BridgeHost is for `landbridge bridge` alone: bridges beside another homeserver, whose name is
// server.name.
type BridgeHost struct {
	// HomeserverURL is where the bridges reach the homeserver's client API.
	HomeserverURL string `yaml:"homeserver_url"`
	// Listen is the address (host:port) on which the homeserver reaches the bridges.
	Listen string `yaml:"listen"`
	// URL is how the homeserver is told to reach that; empty means http:// and Listen.
	URL string `yaml:"url"`
}

// Log is what the program tells while it runs.
type Log struct {
	Level  string `yaml:"level" reload:"yes"` // debug, info, warn or error
	Format string `yaml:"format"`             // text or json
	// Access writes a line for each request.
	Access bool `yaml:"access" reload:"yes"`
}

// Metrics are counters for Prometheus.
type Metrics struct {
	Enabled bool   `yaml:"enabled"`
	Listen  string `yaml:"listen"` // host:port, apart from the public listeners
}

// Backup is what is copied by itself, and when.
type Backup struct {
	// Folder is where backups go; empty means what [Config.BackupFolder] derives.
	Folder string `yaml:"folder"`
	// Every is the time from one to the next; 0: none are made by the clock.
	Every Duration `yaml:"every"`
	// Keep is how many of the newest are kept, and KeepWeekly and KeepMonthly of how many weeks and
	// months beside them.
	Keep        int `yaml:"keep"`
	KeepWeekly  int `yaml:"keep_weekly"`
	KeepMonthly int `yaml:"keep_monthly"`
	// Media tells whether the files that people sent are in them.
	Media bool `yaml:"media"`
	// BeforeUpgrade makes one, without media, before another version of the program changes the
	// databases.
	BeforeUpgrade bool `yaml:"before_upgrade"`
}

// Claims say how people of bridged networks are invited to have an account here.
type Claims struct {
	// Community is what the community calls itself in the messages; empty: the server's name.
	Community string `yaml:"community"`
	// OfferLifetime is how long an invitation is good.
	OfferLifetime Duration `yaml:"offer_lifetime"`
	// Reminders are the times from the invitation to the first reminder, from that to the second, and so on.
	Reminders []string `yaml:"reminders"`
	// MessagesPerMinute bounds how many messages are sent.
	MessagesPerMinute int `yaml:"messages_per_minute"`
}

// ReminderTimes are Reminders, which have been checked, as durations.
func (c Claims) ReminderTimes() (out []time.Duration) {
	for _, s := range c.Reminders {
		if d, err := ParseDuration(s); err == nil {
			out = append(out, d.Std())
		}
	}
	return out
}

// Default is the configuration without a file: a server for this machine alone, safe to
// start anywhere.
func Default() *Config {
	return &Config{
		Server:       Server{Name: "localhost", Listen: []string{"127.0.0.1:8008"}, TrustedProxies: []string{}},
		DataDir:      "./data",
		Database:     Database{Synchronous: "full"},
		Registration: Registration{AdminSignupToken: true, Terms: []Policy{}, PasswordMin: 8},
		Login: Login{Password: true, Tokens: true, JWT: JWT{Algorithm: "HS256", Audiences: []string{}, SubjectClaim: "sub"},
			OIDC: []OIDC{}, TrustedClients: []string{}},
		OAuth:     OAuth{Enabled: true, BrowserLifetime: Duration(7 * 24 * time.Hour)},
		Sessions:  Sessions{RefreshableLifetime: Duration(5 * time.Minute)},
		Mail:      Mail{Security: "starttls"},
		WellKnown: WellKnown{SupportContacts: []Contact{}},
		Rooms:     Rooms{DefaultVersion: "12"},
		RateLimits: RateLimits{
			Enabled:        true,
			LoginPerSecond: 0.2, LoginBurst: 5,
			RegistrationPerSecond: 0.2, RegistrationBurst: 3,
			MessagePerSecond: 10, MessageBurst: 50,
			JoinPerSecond: 1, JoinBurst: 20,
			InvitePerSecond: 1, InviteBurst: 20,
			EmailPerSecond: 0.02, EmailBurst: 5,
			StrangerPerSecond: 5, StrangerBurst: 50,
			UploadPerSecond: 5, UploadBurst: 100,
			PreviewPerSecond: 0.5, PreviewBurst: 20,
		},
		ACME: ACME{Domains: []string{}, Listen: []string{":443"}, HTTPListen: []string{":80"},
			Directory: "https://acme-v02.api.letsencrypt.org/directory"},
		Federation: Federation{Listen: []string{}, KeyServers: []string{}},
		Push:       Push{AllowNetworks: []string{}},
		Identity:   Identity{Trusted: []string{}, AllowNetworks: []string{}},
		VoIP:       VoIP{TURNURIs: []string{}, TURNUserLifetime: Duration(24 * time.Hour), LiveKitURLs: []string{}},
		Media:      Media{MaxUpload: 50 << 20, CacheSize: 10 << 30, ThumbnailCacheSize: 1 << 30, S3: S3{Region: "us-east-1"}},
		URLPreviews: URLPreviews{
			Allow: []string{}, Deny: []string{}, AllowNetworks: []string{},
			Language: "en", UserAgent: "Landbridge (Matrix link preview)",
		},
		Limits: Limits{
			MaxRequestBody: 4 << 20,
			SyncTimeoutMax: Duration(time.Minute),
		},
		Encryption:  Encryption{CheckUploads: true},
		Presence:    Presence{Enabled: true},
		Search:      Search{Messages: true},
		Tracing:     Tracing{Sample: 0.1},
		Retention:   Retention{RoomsMin: Duration(24 * time.Hour)},
		AppServices: AppServices{Registrations: []string{}},
		Bridges:     []Bridge{},
		BridgeHost:  BridgeHost{Listen: "127.0.0.1:29330"},
		Log:         Log{Level: "info", Format: "text"},
		Metrics:     Metrics{Listen: "127.0.0.1:9008"},
		Backup:      Backup{Keep: 7, KeepWeekly: 4, Media: true, BeforeUpgrade: true},
		Migration:   Migration{MaxUpload: 20 << 30},
		Claims: Claims{OfferLifetime: Duration(14 * 24 * time.Hour), MessagesPerMinute: 20,
			Reminders: []string{"72h", "168h", "336h"}},
	}
}
