package appservices

import (
	"context"
	"encoding/json/jsontext"
	"encoding/json/v2"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/landbridge-im/landbridge/registration"
)

// Protocol is what is known of a third-party network, as the services told it: specification,
// client-server API, GET /thirdparty/protocols. Its instances have an instance_id each.
type Protocol map[string]jsontext.Value

// InstanceID names a network of a service: specification: "A unique identifier for this instance on
// the homeserver."
func InstanceID(service, network string) string { return service + "|" + network }

// SplitInstance takes such a name apart.
func SplitInstance(id string) (service, network string, ok bool) { return strings.Cut(id, "|") }

// Bounds of third-party look-ups.
const (
	// lookupTimeout is how long a service may think about one, unless Options say otherwise.
	lookupTimeout = 8 * time.Second
	// lookupsAtOnce bounds the services asked at the same time, for one request.
	lookupsAtOnce = 8
	resultsMax    = 500
)

// Protocols describes the protocols that the services speak, by name, as far as they answer in
// time. Where several speak the same, their instances come together.
func (s *Services) Protocols(ctx context.Context) map[string]Protocol {
	names := map[string]bool{}
	for _, r := range s.Set().All() {
		for _, p := range r.Protocols {
			names[p] = true
		}
	}
	out := map[string]Protocol{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookupsAtOnce)
	for name := range names {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if p, ok := s.Protocol(ctx, name); ok {
				mu.Lock()
				out[name] = p
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return out
}

// Protocol describes one protocol; ok is false if no service that answers, or has answered not long ago,
// speaks it.
func (s *Services) Protocol(ctx context.Context, name string) (out Protocol, ok bool) {
	asked := s.lookedAt(speaking(name))
	said := make([]Protocol, len(asked))
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookupsAtOnce)
	for i, d := range asked {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			said[i] = d.protocols.get(ctx, name, s.o.Now, func(ctx context.Context) (Protocol, error) { return d.describe(ctx, name) })
		})
	}
	wg.Wait()
	instances := []jsontext.Value{}
	for i, p := range said {
		if p == nil {
			continue
		}
		if out == nil {
			out = maps.Clone(p)
		}
		var theirs []map[string]jsontext.Value
		if err := json.Unmarshal(p["instances"], &theirs); err != nil {
			continue // describe has looked
		}
		for _, instance := range theirs {
			// "A unique identifier across all instances", of those networks that have a name.
			var network string
			if json.Unmarshal(instance["network_id"], &network) == nil {
				instance["instance_id"] = jsontext.Value(quote(InstanceID(asked[i].reg.ID, network)))
			}
			raw, _ := json.Marshal(instance, json.Deterministic(true))
			instances = append(instances, raw)
		}
	}
	if out == nil {
		return nil, false
	}
	out["instances"], _ = json.Marshal(instances)
	return out, true
}

// describe asks the service what a protocol of its is like.
func (d *sender) describe(ctx context.Context, name string) (Protocol, error) {
	ctx, cancel := context.WithTimeout(ctx, d.s.o.LookupTimeout)
	defer cancel()
	status, body, err := d.request(ctx, http.MethodGet, "/_matrix/app/v1/thirdparty/protocol/"+escape(name), nil)
	if err == nil && status != http.StatusOK {
		err = errStatus(status)
	}
	var p Protocol
	if err == nil {
		err = json.Unmarshal(body, &p, jsontext.AllowDuplicateNames(true))
	}
	var shape struct {
		UserFields     []string                    `json:"user_fields"`
		LocationFields []string                    `json:"location_fields"`
		Icon           string                      `json:"icon"`
		FieldTypes     map[string]jsontext.Value   `json:"field_types"`
		Instances      []map[string]jsontext.Value `json:"instances"`
	}
	if err == nil {
		err = json.Unmarshal(body, &shape, jsontext.AllowDuplicateNames(true))
	}
	if err == nil && p == nil {
		err = errors.New("it answered null")
	}
	if err != nil {
		d.s.o.Log.WarnContext(ctx, "application service does not describe its protocol", "service", d.reg.ID, "protocol", name, "err", err)
		return nil, err
	}
	if shape.Instances == nil {
		p["instances"] = jsontext.Value("[]")
	}
	return p, nil
}

// Third says what a third-party look-up is for: users or locations (rooms).
type Third string

const (
	Users     Third = "user"
	Locations Third = "location"
)

// id is the member that names the Matrix side of a result.
func (k Third) id() string {
	if k == Users {
		return "userid"
	}
	return "alias"
}

// Speaks tells whether any service speaks a protocol.
func (s *Services) Speaks(protocol string) bool {
	return slices.ContainsFunc(s.Set().All(), speaking(protocol))
}

func speaking(protocol string) func(*registration.Registration) bool {
	return func(r *registration.Registration) bool { return slices.Contains(r.Protocols, protocol) }
}

// ThirdParty asks the services that speak a protocol who, or which rooms, some fields stand for.
func (s *Services) ThirdParty(ctx context.Context, kind Third, protocol string, fields url.Values) []jsontext.Value {
	return s.results(ctx, kind, speaking(protocol), "/_matrix/app/v1/thirdparty/"+string(kind)+"/"+escape(protocol), fields)
}

// ThirdPartyOf asks the services that speak any protocol what a Matrix user or alias stands for
// elsewhere.
func (s *Services) ThirdPartyOf(ctx context.Context, kind Third, id string) []jsontext.Value {
	any := func(r *registration.Registration) bool { return len(r.Protocols) > 0 }
	return s.results(ctx, kind, any, "/_matrix/app/v1/thirdparty/"+string(kind), url.Values{kind.id(): {id}})
}

// results puts the lists that services answer with together. What has not the form of a result is
// left out.
func (s *Services) results(ctx context.Context, kind Third, which func(*registration.Registration) bool, path string, query url.Values) []jsontext.Value {
	out := []jsontext.Value{}
	for _, r := range s.lookup(ctx, which, path, query) {
		var list []jsontext.Value
		if err := json.Unmarshal(r.body, &list, jsontext.AllowDuplicateNames(true)); err != nil {
			s.o.Log.WarnContext(ctx, "application service answers a look-up badly", "service", r.service, "path", path, "err", err)
			continue
		}
		for _, v := range list {
			var shape map[string]jsontext.Value
			if json.Unmarshal(v, &shape, jsontext.AllowDuplicateNames(true)) == nil && len(out) < resultsMax &&
				shape[kind.id()].Kind() == '"' && shape["protocol"].Kind() == '"' && shape["fields"].Kind() == '{' {
				out = append(out, v)
			}
		}
	}
	return out
}

// lookedAt are the senders of some services, in the order of the registrations.
func (s *Services) lookedAt(which func(*registration.Registration) bool) (out []*sender) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.Set().All() {
		if d := s.senders[r.ID]; d != nil && which(r) {
			out = append(out, d)
		}
	}
	return out
}

type lookedUp struct {
	service string
	body    []byte
}

// lookup asks some services the same at once, and returns what those say that answer with 200 in
// time, in the order of the registrations.
func (s *Services) lookup(ctx context.Context, which func(*registration.Registration) bool, path string, query url.Values) []lookedUp {
	ctx, cancel := context.WithTimeout(ctx, s.o.LookupTimeout)
	defer cancel()
	asked := s.lookedAt(which)
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	replies := make([]lookedUp, len(asked))
	var wg sync.WaitGroup
	slots := make(chan struct{}, lookupsAtOnce)
	for i, d := range asked {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			status, body, err := d.request(ctx, http.MethodGet, path, nil)
			if err != nil {
				s.o.Log.WarnContext(ctx, "application service did not answer a look-up", "service", d.reg.ID, "err", err)
			} else if status == http.StatusOK {
				replies[i] = lookedUp{d.reg.ID, body}
			}
		})
	}
	wg.Wait()
	return slices.DeleteFunc(replies, func(r lookedUp) bool { return r.service == "" })
}
