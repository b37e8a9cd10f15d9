package appservice

import (
	"context"
	"testing"

	"maunium.net/go/mautrix/bridgev2/bridgeconfig"
	"maunium.net/go/mautrix/id"
)

func TestPermissions(t *testing.T) {
	t.Parallel()
	standing := func(_ context.Context, user id.UserID) (Standing, error) {
		switch user {
		case "@root:here", "@boss:here":
			return Administrator, nil
		case "@slack_zoe:here":
			return Stranger, nil
		}
		return Resident, nil
	}
	for _, c := range []struct {
		named map[string]string
		user  id.UserID
		want  bridgeconfig.Permissions
	}{
		{nil, "@anna:here", bridgeconfig.PermissionLevelCommands},
		{nil, "@root:here", bridgeconfig.PermissionLevelAdmin},
		{nil, "@slack_zoe:here", bridgeconfig.PermissionLevelRelay},
		{nil, "@anna:there", bridgeconfig.PermissionLevelRelay},
		{nil, "@root:there", bridgeconfig.PermissionLevelRelay},
		{map[string]string{"here": "user"}, "@anna:here", bridgeconfig.PermissionLevelUser},
		{map[string]string{"here": "user"}, "@slack_zoe:here", bridgeconfig.PermissionLevelRelay},
		{map[string]string{"here": "block"}, "@slack_zoe:here", bridgeconfig.PermissionLevelBlock},
		{map[string]string{"@boss:here": "relay"}, "@boss:here", bridgeconfig.PermissionLevelRelay},
		{map[string]string{"there": "admin", "@anna:there": "block"}, "@anna:there", bridgeconfig.PermissionLevelBlock},
		{map[string]string{"there": "admin"}, "@zoe:there", bridgeconfig.PermissionLevelAdmin},
		{map[string]string{"*": "block"}, "@zoe:there", bridgeconfig.PermissionLevelBlock},
		{map[string]string{"*": "block"}, "@anna:here", bridgeconfig.PermissionLevelCommands},
	} {
		p := &permissions{named: c.named, domain: "here", resident: bridgeconfig.PermissionLevelCommands, standing: standing}
		if got, err := p.of(t.Context(), c.user); err != nil || got != c.want {
			t.Errorf("%s with %v: %+v, %v; want %+v", c.user, c.named, got, err, c.want)
		}
	}
}
