package admin

import (
	"encoding/json/jsontext"

	"github.com/landbridge-im/landbridge/homeserver/client"
	"github.com/landbridge-im/landbridge/homeserver/mxerror"
	"github.com/landbridge-im/landbridge/homeserver/store"
)

// actions are the names by which the tools know the kinds of tasks.
var actions = map[string]string{kindDelete: "shutdown_and_purge_room", kindPurge: "purge_history", kindRedact: "redact_all_events"}

type taskInfo struct {
	ID       string         `json:"id"`
	Action   string         `json:"action"`
	Status   string         `json:"status"`
	TS       int64          `json:"timestamp_ms"`
	Resource *string        `json:"resource_id"`
	Result   jsontext.Value `json:"result"`
	Error    *string        `json:"error"`
}

// tasksShown bounds the list of tasks.
const tasksShown = 10000

// tasks is GET v1/scheduled_tasks.
func (a *Admin) tasks(c client.AdminCall) (any, error) {
	q := c.Query()
	before, err := c.Number("max_timestamp", 1<<62)
	if err != nil {
		return nil, err
	}
	status := q.Get("job_status")
	if status == "" {
		status = q.Get("status")
	}
	switch status {
	case "", "scheduled", store.TaskActive, store.TaskComplete, "cancelled", store.TaskFailed:
	default:
		return nil, mxerror.InvalidParam("Query parameter status must be one of scheduled, active, complete, cancelled and failed.")
	}
	list, err := a.o.Store.Tasks(c.Context(), tasksShown)
	if err != nil {
		return nil, err
	}
	out := []taskInfo{}
	for _, k := range list {
		action := actions[k.Kind]
		if name := q.Get("action_name"); name != "" && name != action {
			continue
		}
		if id := q.Get("resource_id"); id != "" && id != k.RoomID {
			continue
		}
		if status != "" && status != k.State || k.ChangedTS >= before {
			continue
		}
		info := taskInfo{ID: k.ID, Action: action, Status: k.State, TS: k.ChangedTS, Resource: orNil(k.RoomID), Error: orNil(k.Error), Result: jsontext.Value("null")}
		if k.Result != "" {
			info.Result = raw(k.Result)
		}
		out = append(out, info)
	}
	return object{"scheduled_tasks": out}, nil
}

// startJob is POST v1/background_updates/start_job: what such jobs would do is done as events come.
func (a *Admin) startJob(c client.AdminCall) (any, error) {
	var q struct {
		Job string `json:"job_name"`
	}
	if err := c.Body(&q); err != nil {
		return nil, err
	}
	switch q.Job {
	case "":
		return nil, mxerror.MissingParam("job_name is missing.")
	case "populate_stats_process_rooms", "regenerate_directory":
		return nil, nil
	}
	return nil, mxerror.New(400, "M_UNKNOWN", "Invalid job_name")
}
