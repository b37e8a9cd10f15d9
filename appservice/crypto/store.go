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

	"go.mau.fi/util/dbutil"
	"maunium.net/go/mautrix/crypto"
	"maunium.net/go/mautrix/id"
)

// cryptoStore is mautrix-go's store in the bridge's database, but keys are not
// shared with the bridge's own ghosts: they have no devices.
type cryptoStore struct {
	*crypto.SQLCryptoStore
	bot    id.UserID
	ghosts string // a pattern of SQL's LIKE
}

var _ crypto.Store = (*cryptoStore)(nil)

// GetRoomJoinedOrInvitedMembers returns whom the room's keys are for.
func (s *cryptoStore) GetRoomJoinedOrInvitedMembers(ctx context.Context, room id.RoomID) ([]id.UserID, error) {
	rows, err := s.DB.Query(ctx, `
		SELECT user_id FROM mx_user_profile
		WHERE room_id=$1
			AND (membership='join' OR membership='invite')
			AND user_id<>$2
			AND user_id NOT LIKE $3 ESCAPE '\'
	`, room, s.bot, s.ghosts)
	return dbutil.NewRowIterWithError(rows, dbutil.ScanSingleColumn[id.UserID], err).AsList()
}
