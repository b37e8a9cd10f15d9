package discord

import (
	"strings"

	"github.com/landbridge-im/landbridge/bridges/discord/format"
	"github.com/landbridge-im/landbridge/bridges/discord/wire"
)

// Kinds of components. Discord, "Component Reference".
const (
	componentRow       = 1
	componentButton    = 2
	componentSelect    = 3
	componentSection   = 9
	componentText      = 10
	componentThumbnail = 11
	componentGallery   = 12
	componentFile      = 13
	componentSeparator = 14
	componentContainer = 17
)

// maxComponents bounds how many components of a message are looked at, nested ones too.
const maxComponents = 200

// componentText is what is to be read of a message's components, as Discord's markdown. Buttons that are links can
// be used; others are shown, so that it can be seen what people on Discord see.
func componentsText(list []wire.Component) string {
	left := maxComponents
	var b strings.Builder
	writeComponents(&b, list, &left)
	return strings.TrimSpace(b.String())
}

func writeComponents(b *strings.Builder, list []wire.Component, left *int) {
	for i := range list {
		c := &list[i]
		if *left--; *left < 0 {
			return
		}
		switch {
		case c.Type == componentRow:
			var words []string
			for j := range c.Components {
				if *left--; *left >= 0 {
					words = append(words, controlText(&c.Components[j]))
				}
			}
			if line := strings.TrimSpace(strings.Join(words, " ")); line != "" {
				b.WriteString(line + "\n")
			}
		case c.Type == componentText:
			b.WriteString(strings.TrimSpace(c.Content) + "\n")
		case c.Type == componentSeparator:
			b.WriteString("\n")
		case c.Type == componentGallery:
			for _, item := range c.Items {
				b.WriteString(mediaText(item.Media.URL, item.Description))
			}
		case c.Type == componentThumbnail:
			b.WriteString(mediaText(c.Media.URL, c.Description))
		case c.Type == componentFile:
			b.WriteString(mediaText(c.File.URL, ""))
		case c.Type == componentSection, c.Type == componentContainer:
			writeComponents(b, c.Components, left)
			if c.Accessory != nil {
				writeComponents(b, []wire.Component{*c.Accessory}, left)
			}
		default:
			if text := controlText(c); text != "" {
				b.WriteString(text + "\n")
			}
		}
	}
}

// mediaText is a line for an image or a file; those of the message itself are among its attachments.
func mediaText(url, about string) string {
	if url == "" || strings.HasPrefix(url, "attachment://") {
		return ""
	}
	return strings.TrimSpace(format.Escape(about)+" "+url) + "\n"
}

// controlText is what is seen of something to be clicked.
func controlText(c *wire.Component) string {
	label := strings.TrimSpace(c.Emoji.Name + " " + c.Label)
	switch {
	case c.Type == componentButton && c.URL != "":
		if label == "" {
			return c.URL
		}
		return "[" + strings.NewReplacer("[", "(", "]", ")").Replace(label) + "](" + c.URL + ")"
	case c.Type == componentButton:
		if label == "" {
			return ""
		}
		return "`[" + strings.ReplaceAll(label, "`", "'") + "]`"
	case c.Type >= componentSelect && c.Type <= 8 && c.Type != 4:
		var words []string
		for _, o := range c.Options {
			words = append(words, o.Label)
		}
		text := c.Placeholder
		if len(words) > 0 {
			text = strings.TrimSpace(text + " " + strings.Join(words, " | "))
		}
		if text == "" {
			text = "choose"
		}
		return "`[▾ " + strings.ReplaceAll(text, "`", "'") + "]`"
	}
	return ""
}
