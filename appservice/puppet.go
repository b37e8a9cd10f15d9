package appservice

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"time"

	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/bridgev2/networkid"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// A puppet is how a person of the network acts in Matrix: as their account where they have one (Links), else as
// their ghost. The account is asked for each time, so that a tie holds from the next message on. As the account the
// bridge only says what was said, and joins; the account's profile, devices and settings are not the bridge's: the
// names and pictures of the network are the ghost's.
//
// What is sent as an account carries the mark of double puppets (fi.mau.double_puppet_source), by which bridgev2 knows
// it when it comes back, and does not send it to the network.
type puppet struct {
	ghost  *matrix.ASIntent
	c      *connector
	person networkid.UserID
}

// AccountField is the field of a ghost's profile that says which account the person has, as the homeserver sets it.
const AccountField = "im.landbridge.account"

var (
	_ bridgev2.MatrixAPI = (*puppet)(nil)
	_ bridgev2.MatrixAPI = (*matrix.ASIntent)(nil)
)

// GhostIntent implements bridgev2.MatrixConnector.
func (c *connector) GhostIntent(person networkid.UserID) bridgev2.MatrixAPI {
	intent := c.Connector.GhostIntent(person)
	ghost, ok := intent.(*matrix.ASIntent)
	if !ok || c.links == nil {
		return intent
	}
	return &puppet{ghost: ghost, c: c, person: person}
}

// GhostOf is the ghost as which an intent of a person of the network acts, for what bridgev2 has no method for; nil if
// it acts as the person's account, or is no ghost's at all.
func GhostOf(intent bridgev2.MatrixAPI) *matrix.ASIntent {
	switch p := intent.(type) {
	case *puppet:
		if now := p.current(); now == p.ghost {
			return now
		}
	case *matrix.ASIntent:
		return p
	}
	return nil
}

// GhostItself is the ghost of a person of the network, also if the person has an account; nil if the intent is no person's.
func GhostItself(intent bridgev2.MatrixAPI) *matrix.ASIntent {
	switch p := intent.(type) {
	case *puppet:
		return p.ghost
	case *matrix.ASIntent:
		return p
	}
	return nil
}

// linkTime bounds the look-up of a tie, which is one of the homeserver's database.
const linkTime = 10 * time.Second

// account is the person's account as an intent; nil if there is none.
func (p *puppet) account(ctx context.Context) (*matrix.ASIntent, error) {
	account, err := p.c.links.Account(ctx, p.person)
	if err != nil {
		return nil, fmt.Errorf("look up the account of a person: %w", err)
	}
	if account == "" {
		return nil, nil
	}
	return p.c.accountIntent(account), nil
}

// accountIntent acts as an account of a person of the network. The homeserver allows it while they are tied.
func (c *connector) accountIntent(account id.UserID) *matrix.ASIntent {
	client := c.AS.NewMautrixClient(account) // not cached: ties end
	intent := c.AS.NewIntentAPI("account")
	intent.Client, intent.UserID, intent.IsCustomPuppet = client, account, true
	intent.Localpart = account.Localpart()
	return &matrix.ASIntent{Matrix: intent, Connector: c.Connector}
}

// current is who acts: the account or the ghost.
func (p *puppet) current() *matrix.ASIntent {
	ctx, cancel := context.WithTimeout(context.Background(), linkTime)
	defer cancel()
	account, err := p.account(ctx)
	if err != nil || account == nil {
		return p.ghost // what is sent then fails with the same error
	}
	return account
}

// GetMXID implements bridgev2.MatrixAPI.
func (p *puppet) GetMXID() id.UserID { return p.current().GetMXID() }

// IsDoublePuppet implements bridgev2.MatrixAPI.
func (p *puppet) IsDoublePuppet() bool { return p.current().IsDoublePuppet() }

// SendMessage implements bridgev2.MatrixAPI.
func (p *puppet) SendMessage(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content, extra *bridgev2.MatrixSendExtra) (*mautrix.RespSendEvent, error) {
	account, err := p.account(ctx)
	if err != nil {
		return nil, err
	}
	target, redaction := aim(kind, content)
	if account == nil && target == "" {
		return p.sendAsGhost(ctx, room, kind, content, extra)
	}
	sender := p.ghost.GetMXID()
	if account != nil {
		sender = account.GetMXID()
	}
	if target != "" {
		found, err := p.c.Bot.GetEvent(ctx, room, target)
		if err == nil {
			sender = found.Sender
		} else if !errors.Is(err, mautrix.MNotFound) {
			return nil, fmt.Errorf("ask for the message that is changed: %w", err)
		}
	}
	switch {
	case account != nil && sender == account.GetMXID():
		return p.sendAs(ctx, account, room, kind, content, extra)
	case redaction && (account != nil || sender != p.ghost.GetMXID()):
		// By the bot, which may: the ghost has left, or the account is not theirs any more.
		return p.c.BotIntent().SendMessage(ctx, room, kind, content, extra)
	case account != nil && sender == p.ghost.GetMXID():
		// An edit of what the ghost had said counts only if it is the ghost's: it comes back for a moment.
		resp, err := p.sendAsGhost(ctx, room, kind, content, extra)
		if _, lerr := p.ghost.Matrix.LeaveRoom(ctx, room, &mautrix.ReqLeave{Reason: "is now " + account.GetMXID().String()}); lerr == nil {
			lerr = p.c.AS.StateStore.SetMembership(ctx, room, p.ghost.GetMXID(), event.MembershipLeave)
			err = errors.Join(err, lerr)
		}
		return resp, err
	default:
		return p.sendAsGhost(ctx, room, kind, content, extra)
	}
}

// aim is the event that another one edits or redacts; "" if it does neither.
func aim(kind event.Type, content *event.Content) (target id.EventID, redaction bool) {
	switch c := content.Parsed.(type) {
	case *event.RedactionEventContent:
		return c.Redacts, true
	case *event.MessageEventContent:
		if c.RelatesTo != nil && c.RelatesTo.Type == event.RelReplace {
			return c.RelatesTo.EventID, false
		}
	}
	return "", kind == event.EventRedaction
}

// sendAs sends as the account. Who has left a room in Matrix has gone for good: what they say on the network is said by
// their ghost there. Who is banned says nothing.
func (p *puppet) sendAs(ctx context.Context, account *matrix.ASIntent, room id.RoomID, kind event.Type, content *event.Content, extra *bridgev2.MatrixSendExtra) (*mautrix.RespSendEvent, error) {
	who := account.GetMXID()
	known, err := p.c.AS.StateStore.TryGetMember(ctx, room, who)
	if err != nil {
		return nil, fmt.Errorf("ask for a member of the room: %w", err)
	}
	// Who is remembered to have left may have been banned since, of which word is still on its way.
	is := event.MembershipLeave
	if known != nil {
		is = known.Membership
	}
	if is == event.MembershipLeave {
		if is, err = p.c.membership(ctx, room, who); err != nil {
			return nil, err
		}
	}
	if is != event.MembershipLeave {
		own := &event.Content{Parsed: content.Parsed, Raw: maps.Clone(content.Raw)} // it is marked, and perhaps encrypted
		resp, err := account.SendMessage(ctx, room, kind, own, extra)
		if !errors.Is(err, mautrix.MForbidden) {
			return resp, err
		}
		// What the bridge remembers is older than what the homeserver knows: the account has left, and the event that
		// says so is still on its way.
		is, merr := p.c.membership(ctx, room, who)
		if merr != nil {
			return nil, errors.Join(err, merr)
		}
		if is != event.MembershipLeave {
			return nil, err
		}
	}
	return p.sendAsGhost(ctx, room, kind, content, extra)
}

// sendAsGhost sends as the ghost, also where it was taken out of the room for the account, and the event that says so is still on its
// way to the bridge.
func (p *puppet) sendAsGhost(ctx context.Context, room id.RoomID, kind event.Type, content *event.Content, extra *bridgev2.MatrixSendExtra) (*mautrix.RespSendEvent, error) {
	own := &event.Content{Parsed: content.Parsed, Raw: maps.Clone(content.Raw)} // it is marked, and perhaps encrypted
	resp, err := p.ghost.SendMessage(ctx, room, kind, own, extra)
	if !errors.Is(err, mautrix.MForbidden) {
		return resp, err
	}
	is, merr := p.c.membership(ctx, room, p.ghost.GetMXID())
	if merr != nil || is == event.MembershipJoin || is == event.MembershipBan {
		return nil, errors.Join(err, merr)
	}
	return p.ghost.SendMessage(ctx, room, kind, content, extra)
}

// membership asks the homeserver for somebody's membership, which the bridge remembers then; "" for who never was there.
func (c *connector) membership(ctx context.Context, room id.RoomID, user id.UserID) (event.Membership, error) {
	content := &event.MemberEventContent{}
	err := c.Bot.StateEvent(ctx, room, event.StateMember, user.String(), content)
	if errors.Is(err, mautrix.MNotFound) {
		return "", nil
	} else if err != nil {
		return "", fmt.Errorf("ask for a member of the room: %w", err)
	}
	return content.Membership, nil
}

// SendState implements bridgev2.MatrixAPI. Of states, the account may set its own membership alone; for others
// bridgev2 asks the bot when it hears so.
func (p *puppet) SendState(ctx context.Context, room id.RoomID, kind event.Type, key string, content *event.Content, ts time.Time) (*mautrix.RespSendEvent, error) {
	account, err := p.account(ctx)
	if err != nil {
		return nil, err
	}
	if account == nil {
		return p.ghost.SendState(ctx, room, kind, key, content, ts)
	}
	if kind != event.StateMember || key != account.GetMXID().String() {
		return nil, mautrix.MForbidden.WithMessage("this is not done in the name of an account")
	}
	return account.SendState(ctx, room, kind, key, p.memberOf(ctx, content), ts)
}

// memberOf is a membership without the name and picture of the network.
func (p *puppet) memberOf(_ context.Context, content *event.Content) *event.Content {
	member, ok := content.Parsed.(*event.MemberEventContent)
	if !ok {
		return content
	}
	own := *member
	own.Displayname, own.AvatarURL = "", ""
	return &event.Content{Parsed: &own, Raw: content.Raw}
}

// MarkRead, MarkUnread and MarkTyping implement bridgev2.MatrixAPI. What an account has read, and that it types, is its
// clients' to say.
func (p *puppet) MarkRead(ctx context.Context, room id.RoomID, evt id.EventID, ts time.Time) error {
	return p.ifGhost(ctx, func() error { return p.ghost.MarkRead(ctx, room, evt, ts) })
}

// MarkUnread implements bridgev2.MatrixAPI.
func (p *puppet) MarkUnread(ctx context.Context, room id.RoomID, unread bool) error {
	return p.ifGhost(ctx, func() error { return p.ghost.MarkUnread(ctx, room, unread) })
}

// MarkTyping implements bridgev2.MatrixAPI.
func (p *puppet) MarkTyping(ctx context.Context, room id.RoomID, kind bridgev2.TypingType, timeout time.Duration) error {
	return p.ifGhost(ctx, func() error { return p.ghost.MarkTyping(ctx, room, kind, timeout) })
}

func (p *puppet) ifGhost(ctx context.Context, do func() error) error {
	account, err := p.account(ctx)
	if err != nil || account != nil {
		return err
	}
	return do()
}

// EnsureJoined implements bridgev2.MatrixAPI.
func (p *puppet) EnsureJoined(ctx context.Context, room id.RoomID, params ...bridgev2.EnsureJoinedParams) error {
	account, err := p.account(ctx)
	if err != nil {
		return err
	}
	if account == nil {
		return p.ghost.EnsureJoined(ctx, room, params...)
	}
	return account.EnsureJoined(ctx, room, params...)
}

// EnsureInvited implements bridgev2.MatrixAPI.
func (p *puppet) EnsureInvited(ctx context.Context, room id.RoomID, user id.UserID) error {
	account, err := p.account(ctx)
	if err != nil {
		return err
	}
	if account == nil {
		return p.ghost.EnsureInvited(ctx, room, user)
	}
	return p.c.BotIntent().EnsureInvited(ctx, room, user)
}

// GetEvent implements bridgev2.MatrixAPI.
func (p *puppet) GetEvent(ctx context.Context, room id.RoomID, evt id.EventID) (*event.Event, error) {
	return p.c.BotIntent().GetEvent(ctx, room, evt)
}

// What follows is the ghost's in any case.

// DownloadMedia implements bridgev2.MatrixAPI.
func (p *puppet) DownloadMedia(ctx context.Context, uri id.ContentURIString, file *event.EncryptedFileInfo) ([]byte, error) {
	return p.ghost.DownloadMedia(ctx, uri, file)
}

// DownloadMediaToFile implements bridgev2.MatrixAPI.
func (p *puppet) DownloadMediaToFile(ctx context.Context, uri id.ContentURIString, file *event.EncryptedFileInfo, writable bool, callback func(*os.File) error) error {
	return p.ghost.DownloadMediaToFile(ctx, uri, file, writable, callback)
}

// UploadMedia implements bridgev2.MatrixAPI.
func (p *puppet) UploadMedia(ctx context.Context, room id.RoomID, data []byte, name, mime string) (id.ContentURIString, *event.EncryptedFileInfo, error) {
	return p.ghost.UploadMedia(ctx, room, data, name, mime)
}

// UploadMediaStream implements bridgev2.MatrixAPI.
func (p *puppet) UploadMediaStream(ctx context.Context, room id.RoomID, size int64, requireFile bool, cb bridgev2.FileStreamCallback) (id.ContentURIString, *event.EncryptedFileInfo, error) {
	return p.ghost.UploadMediaStream(ctx, room, size, requireFile, cb)
}

// SetDisplayName implements bridgev2.MatrixAPI.
func (p *puppet) SetDisplayName(ctx context.Context, name string) error {
	return p.ghost.SetDisplayName(ctx, name)
}

// SetAvatarURL implements bridgev2.MatrixAPI.
func (p *puppet) SetAvatarURL(ctx context.Context, uri id.ContentURIString) error {
	return p.ghost.SetAvatarURL(ctx, uri)
}

// SetExtraProfileMeta implements bridgev2.MatrixAPI.
func (p *puppet) SetExtraProfileMeta(ctx context.Context, data any) error {
	return p.ghost.SetExtraProfileMeta(ctx, data)
}

// SetProfile implements bridgev2.MatrixAPI.
func (p *puppet) SetProfile(ctx context.Context, data any) error {
	account, err := p.account(ctx)
	if err != nil {
		return err
	}
	if account == nil {
		return p.ghost.SetProfile(ctx, data)
	}
	// It takes the place of the whole profile, and the link to the account is part of that.
	raw, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	fields := map[string]any{}
	if err := json.Unmarshal(raw, &fields); err != nil {
		return fmt.Errorf("write a profile: %w", err)
	}
	fields[AccountField] = account.GetMXID()
	return p.ghost.SetProfile(ctx, fields)
}

// CreateRoom implements bridgev2.MatrixAPI.
func (p *puppet) CreateRoom(ctx context.Context, req *mautrix.ReqCreateRoom) (id.RoomID, error) {
	return p.ghost.CreateRoom(ctx, req)
}

// DeleteRoom implements bridgev2.MatrixAPI.
func (p *puppet) DeleteRoom(ctx context.Context, room id.RoomID, puppetsOnly bool) error {
	return p.ghost.DeleteRoom(ctx, room, puppetsOnly)
}

// TagRoom implements bridgev2.MatrixAPI.
func (p *puppet) TagRoom(ctx context.Context, room id.RoomID, tag event.RoomTag, on bool) error {
	return p.ghost.TagRoom(ctx, room, tag, on)
}

// MuteRoom implements bridgev2.MatrixAPI.
func (p *puppet) MuteRoom(ctx context.Context, room id.RoomID, until time.Time) error {
	return p.ghost.MuteRoom(ctx, room, until)
}
