package zohobooks

import (
	"context"
	"iter"
	"net/http"
	"net/url"
)

// Item is an entry of the item catalogue.
type Item struct {
	ItemID      string `json:"item_id"`
	Name        string `json:"name"`
	SKU         string `json:"sku"`
	Status      string `json:"status"` // active, inactive
	Description string `json:"description"`
	Rate        Amount `json:"rate"`
	Unit        string `json:"unit"`
	TaxID       string `json:"tax_id"`
	AccountID   string `json:"account_id"`
	ItemType    string `json:"item_type"`    // sales, purchases, sales_and_purchases, inventory
	ProductType string `json:"product_type"` // goods, service, digital_service
}

// ItemRequest is the body of a create or an update.
type ItemRequest struct {
	Name        string `json:"name,omitempty"`
	Rate        Amount `json:"rate"`
	Description string `json:"description,omitempty"`
	SKU         string `json:"sku,omitempty"`
	Unit        string `json:"unit,omitempty"`
	ItemType    string `json:"item_type,omitempty"`
	ProductType string `json:"product_type,omitempty"`
	TaxID       string `json:"tax_id,omitempty"`
	AccountID   string `json:"account_id,omitempty"`
	HSNOrSAC    string `json:"hsn_or_sac,omitempty"`
}

const items = "/items"

type itemAnswer struct {
	head
	Item *Item `json:"item"`
}

func (a *itemAnswer) complete() bool { return a.Item != nil && a.Item.ItemID != "" }

type itemsAnswer struct {
	head
	Items []Item      `json:"items"`
	Page  pageContext `json:"page_context"`
}

func (a *itemsAnswer) complete() bool       { return a.Items != nil }
func (a *itemsAnswer) rows() []Item         { return a.Items }
func (a *itemsAnswer) context() pageContext { return a.Page }

func newItemsAnswer() listAnswer[Item] { return new(itemsAnswer) }

// CreateItem posts an item; its name must be unique (1001). One call.
func (c *Client) CreateItem(ctx context.Context, req *ItemRequest) (*Item, error) {
	var a itemAnswer
	if err := c.do(ctx, &call{method: http.MethodPost, resource: items, path: items, body: req, keyed: true}, &a); err != nil {
		return nil, err
	}
	return a.Item, nil
}

// UpdateItem changes an item; the rate is always written. One call.
func (c *Client) UpdateItem(ctx context.Context, id string, req *ItemRequest) (*Item, error) {
	var a itemAnswer
	if err := c.one(ctx, http.MethodPut, items, id, "", req, &a); err != nil {
		return nil, err
	}
	return a.Item, nil
}

// GetItem reads an item. One call.
func (c *Client) GetItem(ctx context.Context, id string) (*Item, error) {
	var a itemAnswer
	if err := c.one(ctx, http.MethodGet, items, id, "", nil, &a); err != nil {
		return nil, err
	}
	return a.Item, nil
}

// ListItems walks the catalogue, 200 a call.
func (c *Client) ListItems(ctx context.Context, opts *ListOptions) iter.Seq2[Item, error] {
	return list(ctx, c, items, opts, newItemsAnswer)
}

// FindItemsByName gives the items of this name, whatever its case. One call as a rule.
func (c *Client) FindItemsByName(ctx context.Context, name string) ([]Item, error) {
	return find(ctx, c, items, url.Values{"name": {name}}, newItemsAnswer,
		func(i *Item) fit { return fitIf(sameText(i.Name, name)) }, nil)
}

// FindItemsBySKU gives the items with exactly this SKU. It searches by free text, which is UNCONFIRMED to look at SKUs. One call as a rule.
func (c *Client) FindItemsBySKU(ctx context.Context, sku string) ([]Item, error) {
	return find(ctx, c, items, url.Values{"search_text": {sku}}, newItemsAnswer,
		func(i *Item) fit { return fitIf(i.SKU == sku) }, nil)
}

// DeleteItem deletes an item without transactions. One call.
func (c *Client) DeleteItem(ctx context.Context, id string) error {
	return c.one(ctx, http.MethodDelete, items, id, "", nil, new(head))
}
