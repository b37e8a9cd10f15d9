package desk

import (
	"time"

	"github.com/landbridge-im/landbridge/migration/run"
)

// Progress is how far the work on a migration is.
type Progress struct {
	State State `json:"state"`
	Step  Step  `json:"step"`
	// Part is how much of a thousand is done.
	Part int `json:"part"`
	// What was done so far; those that the step does not count are 0.
	Channels    int64 `json:"channels"`
	AllChannels int64 `json:"all_channels"`
	Messages    int64 `json:"messages"`
	Files       int64 `json:"files"`
	FileBytes   int64 `json:"file_bytes"`
	// Rate is messages a second. Left is what is left of the time, 0 if that can't be told yet.
	Rate float64       `json:"rate"`
	Took time.Duration `json:"took,format:sec"`
	Left time.Duration `json:"left,format:sec"`
	// Channel is one that is worked on.
	Channel string `json:"channel"`
}

// watched is what tells of progress.
type watched struct {
	began     time.Time
	runner    *run.Runner
	done, all int
}

func (d *Desk) watching(id string, r *run.Runner) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[id].watch.runner = r
}

func (d *Desk) counted(id string, done, all int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.of[id].watch.done, d.of[id].watch.all = done, all
}

// leftAfter is how long work must have gone on before a guess is made at what is left.
const leftAfter = 3 * time.Second

// Progress tells how far a migration is.
func (d *Desk) Progress(id string) (Progress, error) {
	d.mu.Lock()
	e, ok := d.of[id]
	if !ok {
		d.mu.Unlock()
		return Progress{}, ErrUnknown
	}
	p, w, all := Progress{State: e.State, Step: e.Step}, e.watch, e.Messages
	d.mu.Unlock()
	if p.State != Working {
		return p, nil
	}
	p.Took = time.Since(w.began)
	p.Channels, p.AllChannels = int64(w.done), int64(w.all)
	share := part(p.Channels, p.AllChannels)
	if w.runner != nil {
		r := w.runner.Progress()
		p.Channels, p.AllChannels, p.Messages, p.Files, p.FileBytes, p.Channel = r.Channels, r.AllChannels, r.Messages, r.Files, r.FileBytes, r.Channel
		p.Rate = float64(r.Messages) / max(p.Took.Seconds(), 0.001)
		share = part(r.Messages, all)
	}
	p.Part = int(1000 * share)
	if share > 0 && share < 1 && p.Took > leftAfter {
		p.Left = time.Duration(float64(p.Took) * (1 - share) / share)
	}
	return p, nil
}

func part(done, all int64) float64 {
	if all <= 0 {
		return 0
	}
	return min(1, float64(done)/float64(all))
}
