package irc

import (
	"strconv"
	"sync/atomic"
	"time"

	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/id"

	"github.com/landbridge-im/landbridge/bridges/irc/session"
)

// lineKind says what a line does. The words are stored: never change them.
type lineKind string

const (
	lineMessage lineKind = "message"
	lineJoin    lineKind = "join"
	lineLeave   lineKind = "leave" // part, quit or kick
	lineNick    lineKind = "nick"
	lineTopic   lineKind = "topic"
	lineDirect  lineKind = "direct" // said to a Matrix user alone
	lineReact   lineKind = "react"
	lineUnreact lineKind = "unreact"
	lineRedact  lineKind = "redact"
	lineInvite  lineKind = "invite" // of a Matrix user to a channel
	lineNotice  lineKind = "notice" // of a server or of services
	lineBan     lineKind = "ban"    // or the end of one
)

// line is what a line of the network means for the rooms. It holds all that is
// needed to handle it, as it was when the line was read, so that handling it
// later, or again after a crash, comes to the same.
type line struct {
	Kind lineKind  `json:"kind"`
	Time time.Time `json:"time"`
	// ID is the network's id of the line, or that of its connection and its number.
	ID string `json:"id"`
	// Channels are those that it concerns, as they are configured.
	Channels []string `json:"channels,omitempty"`
	// Nick is whom it concerns, Ghost their ghost.
	Nick  string           `json:"nick,omitempty"`
	Ghost networkid.UserID `json:"ghost,omitempty"`
	// By is who did it, if it was another one of a channel, with their ghost.
	By      string           `json:"by,omitempty"`
	ByGhost networkid.UserID `json:"by_ghost,omitempty"`
	// Kicked says that somebody else ended the membership.
	Kicked bool   `json:"kicked,omitempty"`
	Text   string `json:"text,omitempty"`

	// To is the Matrix user to whom it was said, if to one alone.
	To id.UserID `json:"to,omitempty"`

	Say     session.MessageKind `json:"say,omitempty"`
	ReplyTo string              `json:"reply_to,omitempty"`
	// Past says that it was said before the bridge was there.
	Past bool `json:"past,omitempty"`
	// Mask is that of a ban, and On says whether it was set.
	Mask string `json:"mask,omitempty"`
	On   bool   `json:"on,omitempty"`

	seq  int64        // place in the inbox; 0 for what is not stored
	left atomic.Int32 // rooms that have not handled it
}

// member is somebody who is in a channel.
type member struct {
	nick  string
	ghost networkid.UserID
}

// names is a session.Names with the ghosts of the people.
type names struct {
	channel string // as configured
	topic   string
	time    time.Time
	members []member
}

// entry is one thing that the pump handles: a line, which is stored until it is
// handled, or an event that only says how things are at present.
type entry struct {
	line  *line
	event session.Event
	names *names
	// ties are changes of who has which ghost; they are stored before the entry
	// is handled.
	ties []tie
	// stored, if not nil, is closed when what came before is stored. Such an entry
	// holds nothing else.
	stored chan struct{}
	// reached, if not nil, is closed when what came before was handed to its rooms. Such an entry holds nothing else.
	reached chan struct{}
}

// entry makes an entry of an event, or nil if there is nothing to do. It is called
// while the session's state is that of the line.
func (n *network) entry(e session.Event) *entry {
	if n.puppets.hides(e) {
		if kick, ok := e.(session.Kick); ok {
			return n.puppetBan(kick)
		}
		return nil
	}
	var out *entry
	switch e := e.(type) {
	case session.Names:
		out = n.namesEntry(e)
	case session.Message:
		out = lineEntry(n.messageLine(e))
	case session.Join:
		out = n.joinEntry(e)
	case session.Part:
		if !e.Self {
			out = n.leaveEntry(e.Meta, e.User, []string{e.Channel}, e.Reason, session.User{})
		}
	case session.Kick:
		if e.Self {
			return &entry{event: e}
		}
		out = n.leaveEntry(e.Meta, e.Who, []string{e.Channel}, e.Reason, e.By)
	case session.Quit:
		out = n.quitEntry(e)
	case session.NickChange:
		if !e.Self && e.Old != "" && len(e.Channels) > 0 {
			ghost := n.ids.rename(n.fold(e.Old), e.New, n.fold(e.New))
			out = lineEntry(&line{Kind: lineNick, Time: e.Time, ID: lineID(e.Meta), Nick: e.New, Ghost: ghost})
		}
	case session.Topic:
		out = lineEntry(n.topicLine(e))
	case session.Mode:
		return n.modeEntry(e)
	case session.Tags:
		out = n.tagsEntry(e)
	case session.Redaction:
		out = n.redactionEntry(e)
	case session.Invite:
		return n.inviteEntry(e)
	case session.Notice:
		return n.noticeEntry(e)
	default:
		out = &entry{event: e}
	}
	if ties := n.ids.changes(); len(ties) > 0 {
		if out == nil {
			out = &entry{}
		}
		out.ties = ties
	}
	return out
}

func lineEntry(l *line) *entry {
	if l == nil {
		return nil
	}
	return &entry{line: l}
}

// lineID names a line of the network, uniquely over all connections.
func lineID(m session.Meta) string {
	if m.MsgID != "" {
		return m.MsgID
	}
	if m.Batch == "znc.in/playback" {
		return "znc-" + strconv.FormatInt(m.Time.UnixMilli(), 10) + "-" + strconv.FormatUint(m.Seq, 10)
	}
	return m.Conn + "-" + strconv.FormatUint(m.Seq, 10)
}

// isSelf reports whether a nick is the bridge's own, or that of a Matrix user.
func (n *network) isSelf(nick string) bool { return n.isListener(nick) || n.puppets.has(nick) }

// isListener reports whether a nick is the bridge's own, or was that of its last connection.
func (n *network) isListener(nick string) bool { return n.fold(nick) == n.fold(n.session.Nick()) }

func (n *network) ghostOf(nick string) networkid.UserID { return n.ids.ghost(nick, n.fold(nick)) }

// configured returns those of some channels that are configured, by their names
// in the configuration.
func (n *network) configured(channels []string) []string {
	var list []string
	for _, name := range channels {
		if ch := n.channel(name); ch != nil {
			list = append(list, ch.Name)
		}
	}
	return list
}

func (n *network) messageLine(e session.Message) *line {
	if e.Echo {
		return nil // ours; the outbox knows of it
	}
	if e.Channel == "" {
		return n.privateToBridge(e)
	}
	channels := n.configured([]string{e.Channel})
	if len(channels) == 0 {
		return nil
	}
	return &line{
		Kind: lineMessage, Time: e.Time, ID: lineID(e.Meta), Channels: channels, Nick: e.From.Nick, Ghost: n.ghostOf(e.From.Nick),
		Text: e.Text, Say: e.Kind, ReplyTo: e.ReplyTo, Past: e.Past,
	}
}

func (n *network) memberLine(kind lineKind, m session.Meta, nick string, channels []string) *line {
	channels = n.configured(channels)
	if len(channels) == 0 {
		return nil
	}
	return &line{Kind: kind, Time: m.Time, ID: lineID(m), Channels: channels, Nick: nick, Ghost: n.ghostOf(nick)}
}

func (n *network) leaveEntry(m session.Meta, user session.User, channels []string, reason string, by session.User) *entry {
	nick := user.Nick
	l := n.memberLine(lineLeave, m, nick, channels)
	if l != nil {
		l.Text, l.Kicked = reason, by.Nick != ""
		if l.Kicked && !n.isSelf(by.Nick) && n.session.Present(by.Nick) {
			l.By, l.ByGhost = by.Nick, n.ghostOf(by.Nick)
		}
		if len(channels) == 1 {
			l.Mask = n.bannedBy(channels[0], user)
		}
	}
	if !n.session.Present(nick) {
		n.ids.end(n.fold(nick))
	}
	return lineEntry(l)
}

func (n *network) topicLine(e session.Topic) *line {
	channels := n.configured([]string{e.Channel})
	if len(channels) == 0 {
		return nil
	}
	l := &line{Kind: lineTopic, Time: e.Time, ID: lineID(e.Meta), Channels: channels, Text: e.Text}
	if e.By.Nick != "" && n.session.Present(e.By.Nick) && !n.isSelf(e.By.Nick) {
		l.By, l.ByGhost = e.By.Nick, n.ghostOf(e.By.Nick)
	}
	return l
}

func (n *network) namesEntry(e session.Names) *entry {
	ch := n.channel(e.Channel)
	if ch == nil {
		return nil
	}
	n.splits.listed(ch.Name)
	list := &names{channel: ch.Name, topic: e.Topic, time: e.Time, members: make([]member, 0, len(e.Members))}
	cm := n.session.Support().Casemapping
	self := cm.Fold(n.session.Nick())
	for _, m := range e.Members {
		if folded := cm.Fold(m.Nick); folded != self && !n.puppets.has(m.Nick) {
			list.members = append(list.members, member{m.Nick, n.ids.ghost(m.Nick, folded)})
		}
	}
	return &entry{names: list}
}
