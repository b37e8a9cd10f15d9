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

	"maunium.net/go/mautrix/bridgev2/database"
)

// selfSign gives the bot cross-signing keys and signs its device with them. The
// recovery key is kept in the bridge's database.
func (h *Helper) selfSign(ctx context.Context) error {
	mach, kv := h.machine(), h.conn.Bridge.DB.KV
	hasKeys, verified, err := mach.GetOwnVerificationStatus(ctx)
	if err != nil {
		return fmt.Errorf("check verification: %w", err)
	}
	masterTrusted, _, _, err := mach.GetOwnCrossSigningVerificationStatus(ctx)
	if err != nil {
		return fmt.Errorf("check cross-signing keys: %w", err)
	}
	const overwrite = "overwrite"
	stored := kv.Get(ctx, database.KeyRecoveryKey)
	switch {
	case !hasKeys || stored == overwrite:
		if stored != "" && stored != overwrite {
			return errors.New("the homeserver has lost the bot's cross-signing keys; remove recovery_key from kv_store to make new ones")
		}
		recovery, err := mach.GenerateAndVerifyWithRecoveryKey(ctx)
		if recovery != "" {
			kv.Set(ctx, database.KeyRecoveryKey, recovery)
		}
		if err != nil {
			return fmt.Errorf("make cross-signing keys: %w", err)
		}
	case !verified || !masterTrusted:
		if stored == "" {
			return errors.New("the bot has cross-signing keys that this database does not know; set recovery_key in kv_store to the key, or to overwrite")
		}
		if err := mach.VerifyWithRecoveryKey(ctx, stored); err != nil {
			return fmt.Errorf("verify with the recovery key: %w", err)
		}
	}
	return nil
}
