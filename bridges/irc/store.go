package irc

import (
	"context"
	"crypto/cipher"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

//go:embed upgrades/*.sql
var upgrades embed.FS

// store is the module's tables in the bridge's database.
type store struct {
	db     *dbutil.Database
	bridge networkid.BridgeID
	ledger *ledger
	aead   cipher.AEAD // of what is secret; nil without a folder for its key
}

// openStore opens the tables, and the ledger in a folder, if one is named.
func openStore(ctx context.Context, br *bridgev2.Bridge, dir string) (*store, error) {
	table := dbutil.BuildUpgradeTable().WithFSPath(upgrades, "upgrades").Finish()
	s := &store{db: br.DB.Child("irc_version", table, nil), bridge: br.ID}
	if err := s.db.Upgrade(ctx); err != nil {
		return nil, fmt.Errorf("upgrade the IRC tables: %w", err)
	}
	waiting, err := s.waitingEvents(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.loadKey(dir); err != nil {
		return nil, err
	}
	path := ""
	if dir != "" {
		path = filepath.Join(dir, ledgerFile)
	}
	s.ledger, err = openLedger(path, waiting)
	return s, err
}

// ledgerFile is the name of the ledger beside the bridge's database.
const ledgerFile = "irc-lines"

// outgoing is something that a Matrix event makes the bridge say on a network.
type outgoing struct {
	Seq     int64      `json:"-"`
	EventID id.EventID `json:"-"`
	Channel string     `json:"-"`
	Written int        `json:"-"`
	Command string     `json:"command"` // PRIVMSG, NOTICE or TOPIC; with Steps, what they are for
	// Steps are whole commands, each of its parameters behind it, instead of Lines.
	Steps  [][]string `json:"steps,omitempty"`
	Prefix string     `json:"prefix,omitempty"`
	Suffix string     `json:"suffix,omitempty"`
	Lines  []string   `json:"lines"`           // as written by the sender
	Fixed  []string   `json:"fixed,omitempty"` // as they go over the wire
	Status eventInfo  `json:"event"`
	// At is when it was taken.
	At time.Time `json:"at,omitzero"`
	// Tags are the client's own tags of the first line.
	Tags map[string]string `json:"tags,omitempty"`
	// Needs is a capability without which it cannot be said.
	Needs string `json:"needs,omitempty"`
	// RelayNick is under which nick, without its suffix, it may be relayed (RELAYMSG), with RelayPrefix for Prefix.
	RelayNick   string `json:"relay_nick,omitempty"`
	RelayPrefix string `json:"relay_prefix,omitempty"`
	// Relay, Whole and Concat go with Fixed: the nick under which the lines are relayed; that they are one message;
	// which of them go on with the line before.
	Relay     string      `json:"relay,omitempty"`
	Whole     bool        `json:"whole,omitempty"`
	Concat    []int       `json:"concat,omitempty"`
	Anybody   bool        `json:"anybody,omitempty"` // a topic by somebody who is no moderator
	waiting   int         // by the outbox: lines handed to the session
	failed    error       // by the outbox: the first failure of a line
	again     bool        // by the outbox: lines remain to be sent
	msgID     string      // by the outbox: of the first line
	mark      *mark       // by the outbox: its place in the ledger, or nil
	doubt     bool        // by the outbox: lines were written and not confirmed
	doubted   time.Time   // by the outbox: since when
	relayed   bool        // by the outbox: it is under way, and to be relayed where the server does that
	unrelayed bool        // by the outbox: the server has refused to relay it
	known     bool        // by the outbox: an earlier run has the server's confirmation
	told      func(error) // of an order: hears once what became of it
}

// eventInfo is what a status of an event needs.
type eventInfo struct {
	RoomID id.RoomID         `json:"room"`
	Type   event.Type        `json:"type"`
	Msg    event.MessageType `json:"msgtype,omitempty"`
	Sender id.UserID         `json:"sender"`
}

func (o *outgoing) statusInfo() *bridgev2.MessageStatusEventInfo {
	return &bridgev2.MessageStatusEventInfo{
		RoomID: o.Status.RoomID, SourceEventID: o.EventID, EventType: o.Status.Type,
		MessageType: o.Status.Msg, Sender: o.Status.Sender,
	}
}

// errDuplicate says that an event is in the outbox already, or was.
var errDuplicate = errors.New("the event was taken before")

// put stores o, and in the same transaction whatever with does. It returns
// errDuplicate if the event was stored before.
func (s *store) put(ctx context.Context, network string, o *outgoing, with func(context.Context) error) error {
	message, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode a message for the outbox: %w", err)
	}
	return s.db.DoTxn(ctx, nil, func(ctx context.Context) error {
		rows, err := s.db.Query(ctx, `
			INSERT INTO irc_outbox (bridge_id, network, channel, message, event_id, created_at)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (bridge_id, event_id) DO NOTHING
			RETURNING seq
		`, s.bridge, network, o.Channel, string(message), o.EventID, time.Now().UnixMilli())
		seq, err := dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[int64], err).AsList()
		if err != nil {
			return fmt.Errorf("store a message in the outbox: %w", err)
		}
		if len(seq) == 0 {
			return errDuplicate
		}
		o.Seq = seq[0]
		if with == nil {
			return nil
		}
		return with(ctx)
	})
}

// fix records how a message is cut into lines, so that it is continued in the
// same way if it is interrupted.
func (s *store) fix(ctx context.Context, o *outgoing) error {
	message, err := json.Marshal(o)
	if err != nil {
		return fmt.Errorf("encode a message for the outbox: %w", err)
	}
	_, err = s.db.Exec(ctx, "UPDATE irc_outbox SET message=$1 WHERE bridge_id=$2 AND seq=$3", string(message), s.bridge, o.Seq)
	if err != nil {
		return fmt.Errorf("record the lines of a message: %w", err)
	}
	return nil
}

// written records that a line is being written.
func (s *store) written(ctx context.Context, seq int64, lines int) error {
	_, err := s.db.Exec(ctx, "UPDATE irc_outbox SET written=$1 WHERE bridge_id=$2 AND seq=$3", lines, s.bridge, seq)
	if err != nil {
		return fmt.Errorf("record a line as written: %w", err)
	}
	return nil
}

// done records that nothing is left to do for a message. The row stays for a
// while so that the event is known when it is delivered again.
func (s *store) done(ctx context.Context, seq int64) error {
	_, err := s.db.Exec(ctx, "UPDATE irc_outbox SET done=true, message='' WHERE bridge_id=$1 AND seq=$2", s.bridge, seq)
	if err != nil {
		return fmt.Errorf("record a message as sent: %w", err)
	}
	return nil
}

// rememberDone is how long events are remembered after they were sent; the
// homeserver repeats a transaction only until it is acknowledged.
const rememberDone = 7 * 24 * time.Hour

func (s *store) prune(ctx context.Context) error {
	_, err := s.db.Exec(ctx, "DELETE FROM irc_outbox WHERE bridge_id=$1 AND done=true AND created_at<$2",
		s.bridge, time.Now().Add(-rememberDone).UnixMilli())
	if err != nil {
		return fmt.Errorf("prune the outbox: %w", err)
	}
	return nil
}

// waitingEvents returns the events of all that is left to be sent, by number.
func (s *store) waitingEvents(ctx context.Context) (map[int64]id.EventID, error) {
	type row struct {
		seq   int64
		event id.EventID
	}
	rows, err := s.db.Query(ctx, "SELECT seq, event_id FROM irc_outbox WHERE bridge_id=$1 AND done=false", s.bridge)
	list, err := dbutil.NewRowIterWithError(rows, func(r dbutil.Scannable) (out row, err error) {
		err = r.Scan(&out.seq, &out.event)
		return out, err
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	out := make(map[int64]id.EventID, len(list))
	for _, r := range list {
		out[r.seq] = r.event
	}
	return out, nil
}

// waiting returns what is left to be sent to a network, oldest first.
func (s *store) waiting(ctx context.Context, network string) ([]*outgoing, error) {
	rows, err := s.db.Query(ctx, `
		SELECT seq, channel, message, event_id, written FROM irc_outbox
		WHERE bridge_id=$1 AND network=$2 AND done=false ORDER BY seq
	`, s.bridge, network)
	list, err := dbutil.NewRowIterWithError(rows, func(row dbutil.Scannable) (*outgoing, error) {
		var o outgoing
		var message string
		if err := row.Scan(&o.Seq, &o.Channel, &message, &o.EventID, &o.Written); err != nil {
			return nil, err
		}
		return &o, json.Unmarshal([]byte(message), &o)
	}, err).AsList()
	if err != nil {
		return nil, fmt.Errorf("read the outbox: %w", err)
	}
	return list, nil
}
