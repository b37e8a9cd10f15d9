package app

import (
	"net/http"
	"strings"

	"github.com/landbridge-im/landbridge/config"
)

// bridgePath begins the paths of what bridges offer to the outside world: below it and the bridge's id are its
// provisioning, signed media, and pages and webhooks of its module.
const bridgePath = "/_bridge/"

// bridgeAddress is where the outside world reaches what a bridge offers.
func bridgeAddress(c *config.Config, id string) string {
	return strings.TrimRight(c.PublicURL(), "/") + bridgePath + id
}

// serveBridge answers a request for what a bridge offers.
func (s *serving) serveBridge(w http.ResponseWriter, r *http.Request) {
	id, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, bridgePath), "/")
	http.StripPrefix(bridgePath+id, s.host.Public(id)).ServeHTTP(w, r)
}
