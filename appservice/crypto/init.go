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
	"strings"

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix"
	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/event"
	"maunium.net/go/mautrix/id"
)

// Init implements matrix.Crypto: it makes or finds the bot's device and its
// keys.
func (h *Helper) Init(ctx context.Context) error {
	h.lock.Lock()
	err := h.load(ctx)
	h.lock.Unlock()
	if err != nil {
		return err
	}
	h.listen.Do(h.register)
	if h.conn.Config.Encryption.SelfSign {
		if err := h.selfSign(ctx); err != nil {
			return fmt.Errorf("sign the bot's device: %w", err)
		}
	}
	return nil
}

// load does the work of Init; h.lock is held.
func (h *Helper) load(ctx context.Context) error {
	for attempt := range 2 {
		existing, err := h.open(ctx)
		if err != nil {
			return err
		}
		if !existing {
			if err := h.mach.ShareKeys(ctx, -1); err != nil {
				return fmt.Errorf("upload device keys: %w", err)
			}
			return nil
		}
		ok, err := h.keysAreOnServer(ctx)
		if err != nil {
			return err
		}
		if ok {
			return nil
		}
		if attempt == 0 {
			h.log.Warn().Msg("The homeserver does not have the keys of the bot's device; making a new one")
			if err := h.forget(ctx); err != nil {
				return err
			}
		}
	}
	return errors.New("the homeserver does not keep the keys of the bot's device")
}

// open makes the machine and reports whether the device was there already.
func (h *Helper) open(ctx context.Context) (existing bool, err error) {
	cfg := &h.conn.Config.Encryption
	if cfg.PickleKey == "" {
		return false, errors.New("encryption: the pickle key is missing")
	}
	if !cfg.Appservice || !cfg.MSC4190 {
		return false, errors.New("encryption: only application service mode with MSC4190 is supported")
	}
	log := h.log.With().Str("db_section", "crypto").Logger()
	// In LIKE, an underscore of the prefix would match anything.
	ghosts := strings.ReplaceAll(h.conn.Config.AppService.FormatUsername("%"), "_", `\_`)
	h.store = &cryptoStore{
		SQLCryptoStore: crypto.NewSQLCryptoStore(h.conn.Bridge.DB.Database, dbutil.ZeroLogger(log), string(h.conn.Bridge.ID), "", []byte(cfg.PickleKey)),
		bot:            h.conn.AS.BotMXID(),
		ghosts:         fmt.Sprintf("@%s:%s", ghosts, h.conn.AS.HomeserverDomain),
	}
	if err := h.store.DB.Upgrade(ctx); err != nil {
		return false, bridgev2.DBUpgradeError{Section: "crypto", Err: err}
	}
	device, err := h.store.FindDeviceID(ctx)
	if err != nil {
		return false, fmt.Errorf("find the bot's device: %w", err)
	}
	client := h.conn.AS.NewMautrixClient(h.conn.AS.BotMXID())
	// The bot may be new: a device can only be made for a user that exists.
	if err := h.conn.Bot.EnsureRegistered(ctx); err != nil {
		return false, fmt.Errorf("register the bot: %w", err)
	}
	name := fmt.Sprintf("%s bridge", h.conn.Bridge.Network.GetName().DisplayName)
	if err := client.CreateDeviceMSC4190(ctx, device, name); err != nil {
		return false, fmt.Errorf("make the bot's device: %w", err)
	}
	h.store.DeviceID = client.DeviceID
	h.client = client
	h.client.Store = h.store
	SignOneTimeKeys(client, h.store)

	mach := crypto.NewOlmMachine(client, &h.log, h.store, h.conn.StateStore)
	mach.DisableSharedGroupSessionTracking = true
	mach.AllowKeyShare = h.allowKeyShare
	mach.SendKeysMinTrust = cfg.VerificationLevels.Receive
	mach.PlaintextMentions = cfg.PlaintextMentions
	mach.DeleteOutboundKeysOnAck = cfg.DeleteKeys.DeleteOutboundOnAck
	mach.DontStoreOutboundKeys = cfg.DeleteKeys.DontStoreOutbound
	mach.RatchetKeysOnDecrypt = cfg.DeleteKeys.RatchetOnDecrypt
	mach.DeleteFullyUsedKeysOnDecrypt = cfg.DeleteKeys.DeleteFullyUsedOnDecrypt
	mach.DeletePreviousKeysOnReceive = cfg.DeleteKeys.DeletePrevOnNewSession
	mach.DeleteKeysOnDeviceDelete = cfg.DeleteKeys.DeleteOnDeviceDelete
	mach.DisableDeviceChangeKeyRotation = cfg.Rotation.DisableDeviceChangeKeyRotation
	if cfg.DeleteKeys.DeleteOutdatedInbound {
		if _, err := h.store.RedactOutdatedGroupSessions(ctx); err != nil {
			return false, fmt.Errorf("delete outdated keys: %w", err)
		}
	}
	if err := mach.Load(ctx); err != nil {
		return false, fmt.Errorf("load the bot's keys: %w", err)
	}
	h.mach = mach
	if cfg.DeleteKeys.PeriodicallyDeleteExpired && h.stopPeriod == nil {
		period, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		h.stopPeriod, h.periodDone = cancel, done
		go func() {
			defer close(done)
			mach.ExpiredKeyDeleteLoop(period)
		}()
	}
	return device != "", nil
}

func (h *Helper) keysAreOnServer(ctx context.Context) (bool, error) {
	resp, err := h.client.QueryKeys(ctx, &mautrix.ReqQueryKeys{
		DeviceKeys: map[id.UserID]mautrix.DeviceIDList{h.client.UserID: {h.client.DeviceID}},
	})
	if err != nil {
		return false, fmt.Errorf("query the bot's own keys: %w", err)
	}
	device, ok := resp.DeviceKeys[h.client.UserID][h.client.DeviceID]
	return ok && len(device.Keys) > 0, nil
}

// register listens to what comes in transactions. The handlers find the machine
// anew each time, because Reset replaces it.
func (h *Helper) register() {
	toDevice := func(ctx context.Context, evt *event.Event) { h.machine().HandleToDeviceEvent(ctx, evt) }
	ep := h.conn.EventProcessor
	for _, evtType := range []event.Type{
		event.ToDeviceEncrypted,
		event.ToDeviceRoomKeyRequest,
		event.ToDeviceRoomKeyWithheld,
		event.ToDeviceOrgMatrixRoomKeyWithheld,
		event.ToDeviceBeeperRoomKeyAck,
		event.ToDeviceVerificationRequest,
		event.ToDeviceVerificationStart,
		event.ToDeviceVerificationAccept,
		event.ToDeviceVerificationKey,
		event.ToDeviceVerificationMAC,
		event.ToDeviceVerificationCancel,
	} {
		ep.On(evtType, toDevice)
	}
	ep.On(event.StateHistoryVisibility, func(ctx context.Context, evt *event.Event) {
		h.machine().HandleHistoryVisibility(ctx, evt)
	})
	// For who feeds the connector by its channels instead of calling
	// HandleDeviceLists and HandleKeyCount.
	ep.OnDeviceList(func(ctx context.Context, lists *mautrix.DeviceLists, _ string) { h.HandleDeviceLists(ctx, lists) })
	ep.OnOTK(h.HandleKeyCount)
}

// Reset implements matrix.Crypto: it throws the bot's device away and makes
// another one.
func (h *Helper) Reset(ctx context.Context, _ bool) error {
	h.Stop()
	h.lock.Lock()
	defer h.lock.Unlock()
	h.log.Info().Msg("Resetting the bot's device")
	if err := h.forget(ctx); err != nil {
		return err
	}
	return h.load(ctx)
}

// forget removes the device and its keys; h.lock is held.
func (h *Helper) forget(ctx context.Context) error {
	for _, table := range []string{"crypto_account", "crypto_olm_session", "crypto_megolm_outbound_session"} {
		if _, err := h.store.DB.Exec(ctx, "DELETE FROM "+table+" WHERE account_id=$1", h.store.AccountID); err != nil {
			return fmt.Errorf("clear %s: %w", table, err)
		}
	}
	// MSC4190: an application service may delete devices without further ado.
	if err := h.client.DeleteDevice(ctx, h.client.DeviceID, &mautrix.ReqDeleteDevice[any]{}); err != nil {
		h.log.Warn().Err(err).Msg("Failed to delete the bot's old device")
	}
	return nil
}
