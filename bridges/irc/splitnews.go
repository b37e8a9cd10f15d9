package irc

import (
	"fmt"
	"time"
)

// splitNews is what a room is told of a split of the network.
type splitNews struct {
	gone, back int
	reason     string
	changed    time.Time
	told       bool
}

// splitQuiet is how long nobody else must have gone or come before a room is told: it is told once.
const splitQuiet = 3 * time.Second

// cut takes note of somebody who was cut off from channels.
func (s *splits) cut(channels []string, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, channel := range channels {
		news := s.news[channel]
		if news == nil {
			news = new(splitNews)
			s.news[channel] = news
		}
		news.gone++
		news.reason, news.changed = reason, time.Now()
	}
}

// returned takes note of somebody who is back.
func (s *splits) returned(channel string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if news := s.news[channel]; news != nil {
		news.back++
		news.changed = time.Now()
	}
}

// tell says what there is to say of splits.
func (s *splits) tell(now time.Time, say func(channel, text string)) {
	type message struct{ channel, text string }
	var list []message
	s.mu.Lock()
	for channel, news := range s.news {
		switch {
		case now.Sub(news.changed) < splitQuiet:
		case news.back >= news.gone:
			if news.told {
				list = append(list, message{channel, fmt.Sprintf("The network is whole again: %s back.", headcount(news.back, "is", "are"))})
			}
			delete(s.news, channel)
		case !news.told:
			news.told = true
			list = append(list, message{channel, fmt.Sprintf("The network is split (%s): %s cut off.", plainTopic(news.reason), headcount(news.gone-news.back, "is", "are"))})
		case now.Sub(news.changed) > s.wait:
			delete(s.news, channel)
			if news.back > 0 {
				list = append(list, message{channel, fmt.Sprintf("%s back from the split of the network.", headcount(news.back, "is", "are"))})
			}
		}
	}
	s.mu.Unlock()
	for _, m := range list {
		say(m.channel, m.text)
	}
}

func headcount(n int, one, many string) string {
	if n == 1 {
		return "one person " + one
	}
	return fmt.Sprintf("%d people %s", n, many)
}
