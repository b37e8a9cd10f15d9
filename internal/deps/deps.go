//go:build deps

// Package deps pins the libraries the design names until their first real import.
package deps

import (
	_ "github.com/bwmarrin/discordgo"
	_ "github.com/fsnotify/fsnotify"
	_ "github.com/lib/pq"
	_ "github.com/prometheus/client_golang/prometheus"
	_ "github.com/rs/zerolog"
	_ "github.com/slack-go/slack"
	_ "go.mau.fi/util/dbutil"
	_ "golang.org/x/crypto/argon2"
	_ "golang.org/x/sync/errgroup"
	_ "golang.org/x/term"
	_ "golang.org/x/time/rate"
	_ "gopkg.in/irc.v4"
	_ "gopkg.in/yaml.v3"
	_ "maunium.net/go/mautrix/bridgev2"
	_ "maunium.net/go/mautrix/bridgev2/matrix"
	_ "maunium.net/go/mautrix/bridgev2/commands"
	_ "maunium.net/go/mautrix/crypto/cryptohelper"
	_ "maunium.net/go/mautrix/federation/eventauth"
	_ "maunium.net/go/mautrix/federation/pdu"
	_ "modernc.org/sqlite"
	_ "golang.org/x/image/draw"
	_ "github.com/hashicorp/golang-lru/v2"
)
