package appservice

import (
	"context"
	"log/slog"
	"net/http"

	"github.com/rs/zerolog"
	"gopkg.in/yaml.v3"
	"maunium.net/go/mautrix/bridgev2"
)

// Module is one kind of bridge, such as IRC.
type Module struct {
	// Name is what a configuration says under "module", such as "irc".
	Name string
	// New makes a bridge from its configuration. It validates env.Config
	// (errors name line and key) and starts nothing: no goroutine, no
	// connection. It is called to check a configuration and again before each
	// start.
	New func(ctx context.Context, env Env) (Bridge, error)
}

// Env is what a bridge gets from the host.
type Env struct {
	ID      string       // of the instance, unique in the host
	Config  *yaml.Node   // the module's own part of the configuration; may be nil
	Log     *slog.Logger // carries the instance's id
	Zerolog zerolog.Logger
	HTTP    *http.Client // for the remote network's API
	DataDir string       // the instance's folder, for files of the module
	// Go starts a goroutine. If it panics, the bridge fails and is started anew, while the others go on;
	// a panic in a goroutine that was started otherwise ends the process. Stop must wait for it.
	Go func(f func())
	// AliasPrefix begins the localparts of the room aliases that are the
	// instance's own: nobody else can make them.
	AliasPrefix string
	// Links ties people of the network to accounts; nil if nobody keeps such ties.
	Links Links
}

// Bridge is a configured bridge, not yet started. A Bridge is started at most
// once: the host makes a new one for each start.
type Bridge interface {
	// Connector is the network connector that bridgev2 is given. It is called
	// once.
	Connector() bridgev2.NetworkConnector
	// Start is called when br has started: the place to make logins and
	// portals and to add handlers of Matrix events. Events from Matrix are
	// handled after it has returned, so it must not wait for one. ctx lives until the bridge is stopped. An error has the host
	// stop the bridge and try again later.
	Start(ctx context.Context, br *bridgev2.Bridge) error
	// Stop ends what Start began. It is called before br is stopped, also when
	// Start failed.
	Stop()
}

// AliasOpener is implemented by a Bridge that makes rooms when somebody looks for them: joins an alias of the
// bridge that does not exist yet.
type AliasOpener interface {
	// OpenAlias makes the room of an alias, unless it is there, and gives it the alias (SetAlias). name is the
	// alias's localpart without Env.AliasPrefix. False means that there is nothing of that name. Whoever asked is
	// waiting: ctx ends after ten seconds. It may be called several times at once.
	OpenAlias(ctx context.Context, name string) (bool, error)
}

// Failer is implemented by a Bridge that can find out that it cannot go on,
// for instance because a goroutine of its own ended. The host restarts it when
// the channel yields an error.
type Failer interface {
	Failed() <-chan error
}
