package endpoints

import (
	"encoding/json"
	"net/url"
	"strings"
)

var mediaScenarios = map[string]scenario{
	"uploadContent": func(*stage) call {
		return call{query: url.Values{"filename": {"dot.png"}}, body: png, ctype: "image/png"}
	},
	"uploadContentToMXC": func(s *stage) call {
		a := s.send("POST", "/_matrix/media/v1/create", nil, s.alice(), nil, "")
		var out struct {
			URI string `json:"content_uri"`
		}
		s.ok(json.Unmarshal(a.body, &out))
		server, id, _ := strings.Cut(strings.TrimPrefix(out.URI, "mxc://"), "/")
		return call{params: map[string]string{"serverName": server, "mediaId": id}, body: png, ctype: "image/png"}
	},
	"createContent":                plain,
	"getConfig":                    plain,
	"getConfigAuthed":              plain,
	"getContent":                   plain,
	"getContentAuthed":             plain,
	"getContentOverrideName":       filed,
	"getContentOverrideNameAuthed": filed,
	"getContentThumbnail":          thumbnail,
	"getContentThumbnailAuthed":    thumbnail,
	"getUrlPreview":                preview,
	"getUrlPreviewAuthed":          preview,
}

func filed(*stage) call { return call{params: map[string]string{"fileName": "other name.png"}} }

func thumbnail(*stage) call {
	return call{query: url.Values{"width": {"32"}, "height": {"32"}, "method": {"scale"}}}
}

func preview(s *stage) call {
	return call{query: url.Values{"url": {s.web + "/page"}}, check: holds(`"og:title":"A page"`)}
}
