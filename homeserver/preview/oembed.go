package preview

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"fmt"
	"io"
)

// maxOEmbed bounds the answer of an oEmbed provider, in bytes.
const maxOEmbed = 128 << 10

// readOEmbed asks the provider that a page names (https://oembed.com, "Discovery") and adds what
// it says.
func (p *Previewer) readOEmbed(ctx context.Context, pg *page) error {
	res, err := p.get(ctx, pg.oembed, "application/json+oembed, application/json")
	if err != nil {
		return err
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxOEmbed))
	if err != nil {
		return fmt.Errorf("reading oEmbed data: %w", err)
	}
	return pg.addOEmbed(raw)
}

func (p *page) addOEmbed(raw []byte) error {
	var o struct {
		Type      jsontext.Value `json:"type"`
		Title     jsontext.Value `json:"title"`
		Author    jsontext.Value `json:"author_name"`
		Provider  jsontext.Value `json:"provider_name"`
		URL       jsontext.Value `json:"url"`
		Thumbnail jsontext.Value `json:"thumbnail_url"`
	}
	if err := json.Unmarshal(raw, &o, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)); err != nil {
		return fmt.Errorf("oEmbed data: %w", err)
	}
	p.embedTitle = first(linkedText(o.Title), linkedText(o.Author))
	if name := linkedText(o.Provider); name != "" && p.meta["og:site_name"] == "" {
		p.meta["og:site_name"] = name
		p.order = append(p.order, "og:site_name")
	}
	picture := linkedText(o.Thumbnail)
	if linkedText(o.Type) == "photo" {
		picture = first(linkedText(o.URL), picture)
	}
	if picture != "" && len(p.pictures) < maxPictures {
		p.pictures = append(p.pictures, picture)
	}
	return nil
}
