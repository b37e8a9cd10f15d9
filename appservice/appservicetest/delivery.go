package appservicetest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"time"

	"maunium.net/go/mautrix/id"
)

// Transaction is the body of PUT /_matrix/app/v1/transactions/{txnId}.
type Transaction struct {
	Events      []Event           `json:"events"`
	Ephemeral   []json.RawMessage `json:"ephemeral,omitempty"`
	ToDevice    []json.RawMessage `json:"to_device,omitempty"`
	DeviceLists *DeviceLists      `json:"device_lists,omitempty"`

	KeyCounts map[id.UserID]map[id.DeviceID]map[string]int `json:"device_one_time_keys_count,omitempty"`
}

// DeviceLists are whose devices have changed.
type DeviceLists struct {
	Changed []id.UserID `json:"changed"`
}

// AddService adds an application service, or replaces the one with its id; what
// waits for it keeps waiting. The homeserver sends it what it is interested in,
// in order, and again until it is answered with 200. Close ends that.
func (hs *Homeserver) AddService(sv Service) {
	hs.mu.Lock()
	var old *service
	for i, s := range hs.services {
		if s.ID == sv.ID {
			old = s
			hs.services = append(hs.services[:i:i], hs.services[i+1:]...)
			break
		}
	}
	s := &service{Service: sv, bot: id.NewUserID(sv.SenderLocalpart, hs.Domain), hs: hs, wake: make(chan struct{}, 1), pending: &Transaction{}, done: make(chan struct{})}
	for _, expr := range sv.Users {
		s.users = append(s.users, regexp.MustCompile(expr))
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	hs.user(s.bot)
	hs.mu.Unlock()
	if old != nil {
		old.cancel()
		<-old.done
	}
	hs.mu.Lock()
	if old != nil {
		s.pending = old.pending
		s.wake <- struct{}{}
	}
	hs.services = append(hs.services, s)
	hs.mu.Unlock()
	go s.deliver(ctx)
}

// Close ends the deliveries.
func (hs *Homeserver) Close() {
	hs.mu.Lock()
	services := hs.services
	hs.services = nil
	hs.mu.Unlock()
	for _, s := range services {
		s.cancel()
		<-s.done
	}
}

// Push adds to what a service is sent.
func (hs *Homeserver) Push(serviceID string, add func(*Transaction)) {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, s := range hs.services {
		if s.ID == serviceID {
			s.push(add)
		}
	}
}

// Failures is how many deliveries to a service were refused.
func (hs *Homeserver) Failures(serviceID string) int {
	hs.mu.Lock()
	defer hs.mu.Unlock()
	for _, s := range hs.services {
		if s.ID == serviceID {
			return s.failed
		}
	}
	return 0
}

// push adds to the next transaction; hs.mu is held.
func (s *service) push(add func(*Transaction)) {
	add(s.pending)
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *service) deliver(ctx context.Context) {
	defer close(s.done)
	for {
		select {
		case <-s.wake:
		case <-ctx.Done():
			return
		}
		s.hs.mu.Lock()
		txn := s.pending
		s.pending = &Transaction{}
		s.hs.next++
		txnID := fmt.Sprint("txn", s.hs.next)
		s.hs.mu.Unlock()
		body := marshal(txn)
		for {
			status, err := s.Put(ctx, txnID, body)
			if err == nil && status == http.StatusOK {
				break
			}
			s.hs.mu.Lock()
			s.failed++
			s.hs.notify()
			s.hs.mu.Unlock()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-ctx.Done():
				s.hs.mu.Lock()
				rest := s.pending
				txn.Events = append(txn.Events, rest.Events...)
				txn.ToDevice = append(txn.ToDevice, rest.ToDevice...)
				s.pending = txn
				s.hs.mu.Unlock()
				return
			}
		}
	}
}

// Put sends one transaction and returns the status of the answer.
func (s *Service) Put(ctx context.Context, txnID string, body []byte) (int, error) {
	return s.call(ctx, http.MethodPut, "/_matrix/app/v1/transactions/"+url.PathEscape(txnID), body)
}

func (s *Service) call(ctx context.Context, method, path string, body []byte) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://service"+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", "Bearer "+s.HSToken)
	resp, err := s.Transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, err
}
