//go:build cgo

package main

import (
	"context"
	"errors"

	"maunium.net/go/mautrix/bridgev2"
	"maunium.net/go/mautrix/bridgev2/database"
	"maunium.net/go/mautrix/bridgev2/networkid"
)

func (c *connector) GetLoginFlows() []bridgev2.LoginFlow {
	return []bridgev2.LoginFlow{{Name: "Name", Description: "Log in with a name", ID: "name"}}
}

func (c *connector) CreateLogin(_ context.Context, user *bridgev2.User, flow string) (bridgev2.LoginProcess, error) {
	if flow != "name" {
		return nil, errors.New("there is no such flow")
	}
	return &login{user}, nil
}

type login struct{ user *bridgev2.User }

func (l *login) Cancel() {}

func (l *login) Start(context.Context) (*bridgev2.LoginStep, error) {
	return &bridgev2.LoginStep{Type: bridgev2.LoginStepTypeUserInput, StepID: "org.example.stock.name", Instructions: "Who are you?", UserInputParams: &bridgev2.LoginUserInputParams{
		Fields: []bridgev2.LoginInputDataField{{Type: bridgev2.LoginInputFieldTypeUsername, ID: "name", Name: "Name"}}}}, nil
}

func (l *login) SubmitUserInput(ctx context.Context, in map[string]string) (*bridgev2.LoginStep, error) {
	ul, err := l.user.NewLogin(ctx, &database.UserLogin{ID: networkid.UserLoginID(in["name"]), RemoteName: in["name"]}, nil)
	if err != nil {
		return nil, err
	}
	go ul.Client.Connect(ul.Log.WithContext(context.Background()))
	return &bridgev2.LoginStep{Type: bridgev2.LoginStepTypeComplete, StepID: "org.example.stock.done", Instructions: "Hello, " + in["name"],
		CompleteParams: &bridgev2.LoginCompleteParams{UserLoginID: ul.ID, UserLogin: ul}}, nil
}
