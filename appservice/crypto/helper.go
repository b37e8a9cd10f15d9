// Copyright (c) 2024 Tulir Asokan
//
// This Source Code Form is subject to the terms of the Mozilla Public
// License, v. 2.0. If a copy of the MPL was not distributed with this
// file, You can obtain one at http://mozilla.org/MPL/2.0/.
//
// Changed for Landbridge: application service mode only, no build tags, no
// process exits.

package crypto

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/matrix"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Helper encrypts and decrypts for one bridge. It is safe for concurrent use
// once Init has returned.
type Helper struct {
	conn *matrix.Connector
	log  zerolog.Logger

	listen     sync.Once
	stopPeriod context.CancelFunc // of the deletion of expired keys
	periodDone chan struct{}

	// lock is held for reading by those who use what Reset replaces.
	lock   sync.RWMutex
	client *mautrix.Client
	mach   *crypto.OlmMachine
	store  *cryptoStore
}

var _ matrix.Crypto = (*Helper)(nil)

// New returns a helper for conn, to be set as conn.Crypto after
// bridgev2.NewBridge and before the bridge starts.
func New(conn *matrix.Connector) *Helper {
	return &Helper{conn: conn, log: conn.Log.With().Str("component", "crypto").Logger()}
}

// Client returns the client that acts as the bot's device.
func (h *Helper) Client() *mautrix.Client {
	h.lock.RLock()
	defer h.lock.RUnlock()
	return h.client
}

func (h *Helper) machine() *crypto.OlmMachine {
	h.lock.RLock()
	defer h.lock.RUnlock()
	return h.mach
}

// Start implements matrix.Crypto. There is nothing to start: what the machine
// hears comes in transactions, and it listens since Init, so that no event can
// come before it does.
func (h *Helper) Start() {}

// Stop implements matrix.Crypto.
func (h *Helper) Stop() {
	if h.stopPeriod != nil {
		h.stopPeriod()
		<-h.periodDone
		h.stopPeriod = nil
	}
}

// Decrypt implements matrix.Crypto.
func (h *Helper) Decrypt(ctx context.Context, evt *event.Event) (*event.Event, error) {
	return h.machine().DecryptMegolmEvent(ctx, evt)
}

// Encrypt implements matrix.Crypto: content becomes the encrypted content.
func (h *Helper) Encrypt(ctx context.Context, room id.RoomID, evtType event.Type, content *event.Content) error {
	h.lock.RLock()
	defer h.lock.RUnlock()
	encrypted, err := h.mach.EncryptMegolmEvent(ctx, room, evtType, content)
	if errors.Is(err, crypto.ErrSessionExpired) || errors.Is(err, crypto.ErrSessionNotShared) || errors.Is(err, crypto.ErrNoGroupSession) {
		h.log.Debug().Err(err).Stringer("room_id", room).Msg("Sharing a new group session")
		users, err := h.store.GetRoomJoinedOrInvitedMembers(ctx, room)
		if err != nil {
			return fmt.Errorf("get members to share keys with: %w", err)
		}
		if err := h.mach.ShareGroupSession(ctx, room, users); err != nil {
			return fmt.Errorf("share group session: %w", err)
		}
		if encrypted, err = h.mach.EncryptMegolmEvent(ctx, room, evtType, content); err != nil {
			return fmt.Errorf("encrypt after sharing the session: %w", err)
		}
	} else if err != nil {
		return fmt.Errorf("encrypt: %w", err)
	}
	content.Parsed = encrypted
	content.Raw = nil
	return nil
}

// WaitForSession implements matrix.Crypto.
func (h *Helper) WaitForSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, timeout time.Duration) bool {
	return h.machine().WaitForSession(ctx, room, sender, session, timeout)
}

// RequestSession implements matrix.Crypto.
func (h *Helper) RequestSession(ctx context.Context, room id.RoomID, sender id.SenderKey, session id.SessionID, user id.UserID, device id.DeviceID) {
	if device == "" {
		device = "*"
	}
	err := h.machine().SendRoomKeyRequest(ctx, room, sender, session, "", map[id.UserID][]id.DeviceID{user: {device}})
	if err != nil {
		h.log.Warn().Err(err).Stringer("user_id", user).Stringer("session_id", session).Stringer("room_id", room).Msg("Failed to send key request")
	}
}

// ResetSession implements matrix.Crypto.
func (h *Helper) ResetSession(ctx context.Context, room id.RoomID) {
	if err := h.machine().CryptoStore.RemoveOutboundGroupSession(ctx, room); err != nil {
		h.log.Warn().Err(err).Stringer("room_id", room).Msg("Failed to remove group session")
	}
}

// HandleMemberEvent implements matrix.Crypto.
func (h *Helper) HandleMemberEvent(ctx context.Context, evt *event.Event) {
	h.machine().HandleMemberEvent(ctx, evt)
}

// HandleDeviceLists takes the device lists of a transaction (MSC3202). It
// returns when they are fetched and stored.
func (h *Helper) HandleDeviceLists(ctx context.Context, lists *mautrix.DeviceLists) {
	h.machine().HandleDeviceLists(ctx, lists, "")
}

// HandleKeyCount takes a count of one-time keys of a transaction (MSC3202). It
// returns when what was missing is uploaded.
func (h *Helper) HandleKeyCount(ctx context.Context, count *mautrix.OTKCount) {
	h.machine().HandleOTKCounts(ctx, count)
}

// ShareKeys implements matrix.Crypto: it uploads the device's keys.
func (h *Helper) ShareKeys(ctx context.Context) error {
	return h.machine().ShareKeys(ctx, -1)
}

// BeeperStreamPublisher implements matrix.Crypto; there is none.
func (h *Helper) BeeperStreamPublisher() bridgev2.BeeperStreamPublisher { return nil }

// allowKeyShare decides who may have a room's keys again.
func (h *Helper) allowKeyShare(ctx context.Context, device *id.Device, info event.RequestedKeyInfo) *crypto.KeyShareRejection {
	cfg := h.conn.Config.Encryption
	if !cfg.AllowKeySharing {
		return &crypto.KeyShareRejectNoResponse
	}
	if device.Trust == id.TrustStateBlacklisted {
		return &crypto.KeyShareRejectBlacklisted
	}
	if trust, _ := h.machine().ResolveTrustContext(ctx, device); trust < cfg.VerificationLevels.Share {
		return &crypto.KeyShareRejectUnverified
	}
	portal, err := h.conn.Bridge.GetPortalByMXID(ctx, info.RoomID)
	if err != nil {
		h.log.Err(err).Stringer("room_id", info.RoomID).Msg("Failed to get portal of a key request")
		return &crypto.KeyShareRejectNoResponse
	}
	if portal == nil {
		return &crypto.KeyShareRejection{Code: event.RoomKeyWithheldUnavailable, Reason: "Requested room is not a portal room"}
	}
	user, err := h.conn.Bridge.GetExistingUserByMXID(ctx, device.UserID)
	if err != nil || user == nil {
		return &crypto.KeyShareRejectNoResponse
	}
	if !user.Permissions.Admin {
		return &crypto.KeyShareRejection{Code: event.RoomKeyWithheldUnauthorized, Reason: "Keys are shared with the bridge's administrators only"}
	}
	return nil
}
