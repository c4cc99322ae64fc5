package simulator

import (
	"fmt"
	"net/http"

	"github.com/shopspring/decimal"
)

type item struct {
	record
	name, description, sku, unit string
	rate                         decimal.Decimal
	account                      *account
	tax                          *tax
	itemType, productType        string
	inactive                     bool
	extra                        []pair
}

// addItem makes an item of the configuration.
func (b *books) addItem(i Item) error {
	n := &item{record: record{id: namedID(b.org.ID, KindItem, i.Name), created: b.sim.cfg.Now()}, name: i.Name, sku: i.SKU, unit: i.Unit,
		rate: mustDecimal(i.Rate), itemType: "sales", productType: "service", inactive: i.Inactive}
	n.modified = n.created
	if i.Goods {
		n.productType = "goods"
	}
	n.account = b.accountIDs[namedID(b.org.ID, KindAccount, text(i.Account, AccountSales))]
	if n.account == nil {
		return fmt.Errorf("item %s of organisation %s names an unknown account %s", i.Name, b.org.ID, i.Account)
	}
	if i.Tax != "" {
		if n.tax = b.taxes[namedID(b.org.ID, KindTax, i.Tax)]; n.tax == nil {
			return fmt.Errorf("item %s of organisation %s names an unknown tax %s", i.Name, b.org.ID, i.Tax)
		}
	}
	b.items.add(n)
	b.itemNames[fold(n.name)] = n
	return nil
}

func createItem(c *call) *failure {
	b := c.org
	if f := itemSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	n := &item{record: record{id: b.newID(), created: c.now, modified: c.now}, account: b.system.sales, itemType: "sales", productType: "goods"}
	if f := b.fillItem(c, n); f != nil {
		return f
	}
	b.items.add(n)
	b.itemNames[fold(n.name)] = n
	c.created("items", n.id)
	return answerItem(c, n, "The item has been added.")
}

func updateItem(c *call) *failure {
	n, ok := c.org.items.get(c.ids[0])
	if !ok {
		return notFound("Item")
	}
	return changeItem(c, n)
}

func changeItem(c *call, n *item) *failure {
	b := c.org
	if f := itemSchema.check(&c.body, b.org.Edition, b.invalidElement()); f != nil {
		return f
	}
	changed := *n
	if f := b.fillItem(c, &changed); f != nil {
		return f
	}
	changed.modified = c.now
	b.items.dropFields(n)
	delete(b.itemNames, fold(n.name))
	*n = changed
	b.itemNames[fold(n.name)] = n
	b.items.indexFields(n)
	return answerItem(c, n, "Item details have been saved.")
}

func (b *books) fillItem(c *call, n *item) *failure {
	v := &c.body
	for _, t := range []struct {
		name string
		to   *string
	}{{"name", &n.name}, {"description", &n.description}, {"sku", &n.sku}, {"unit", &n.unit}, {"item_type", &n.itemType}, {"product_type", &n.productType}} {
		v.into(t.name, t.to)
	}
	if n.name == "" {
		return missingValue("name")
	}
	if _, ok := v.get("rate"); ok {
		n.rate = v.dec("rate")
	} else if _, exists := b.items.get(n.id); !exists {
		return missingValue("rate")
	}
	if holder := b.itemNames[fold(n.name)]; holder != nil && holder.id != n.id && !c.twin {
		return refuse(400, codeExists, "Item already exists")
	}
	if id := v.id("account_id"); id != 0 {
		if n.account = b.accountIDs[id]; n.account == nil {
			return invalidValue("account_id")
		}
	}
	if id := v.id("tax_id"); id != 0 {
		if n.tax = b.taxes[id]; n.tax == nil {
			return invalidValue("tax_id")
		}
	}
	n.extra = v.extras(n.extra, []string{"hsn_or_sac", "tax_exemption_id", "is_taxable"})
	fields, f := b.mergeFields(EntityItem, n.fields, v.list("custom_fields"))
	if f != nil {
		return f
	}
	fields = c.headerField(EntityItem, fields)
	if !c.twin {
		self, _ := b.items.get(n.id)
		if f := unique(b, &b.items, self, fields); f != nil {
			return f
		}
	}
	n.fields = fields
	return nil
}

func getItem(c *call) *failure {
	n, ok := c.org.items.get(c.ids[0])
	if !ok {
		return notFound("Item")
	}
	return answerItem(c, n, "success")
}

func deleteItem(c *call) *failure {
	n, ok := c.org.items.get(c.ids[0])
	if !ok {
		return notFound("Item")
	}
	for _, inv := range c.org.invoices.live() {
		for i := range inv.lines {
			if inv.lines[i].item == n {
				return refuse(http.StatusBadRequest, codeInUse, "Items which are a part of other transactions cannot be deleted.")
			}
		}
	}
	delete(c.org.itemNames, fold(n.name))
	c.org.items.remove(n)
	return c.say("The item has been deleted.")
}

func setItemActive(inactive bool, message string) handler {
	return func(c *call) *failure {
		n, ok := c.org.items.get(c.ids[0])
		if !ok {
			return notFound("Item")
		}
		n.inactive, n.modified = inactive, c.now
		return c.say(message)
	}
}

func (n *item) status() string {
	if n.inactive {
		return "inactive"
	}
	return "active"
}

func answerItem(c *call, n *item, message string) *failure {
	w := c.ok(message)
	w.object("item")
	c.org.writeItem(w, n)
	w.close()
	return c.done()
}

func (b *books) writeItem(w *writer, n *item) {
	w.id("group_id", n.id+1)
	w.id("item_id", n.id)
	w.str("name", n.name)
	w.str("sku", n.sku)
	w.str("status", n.status())
	w.str("unit", n.unit)
	w.id("unit_id", namedID(b.org.ID, "unit", n.unit))
	w.str("description", n.description)
	w.dec("rate", n.rate)
	w.id("account_id", n.account.id)
	w.str("account_name", n.account.Name)
	w.itemTax(n)
	w.empty("brand", "manufacturer", "product_subtype", "purpose_of_use", "image_name", "image_type", "zcrm_product_id", "crm_owner_id",
		"tax_status", "tax_start_date", "tax_end_date", "tax_groups_details", "tax_country_code", "tax_information", "is_tax_expired",
		"purchase_tax_information", "associated_template_id", "purchase_description", "sales_margin", "purchase_account_id",
		"purchase_account_name", "offline_created_date_with_time", "minimum_order_quantity", "maximum_order_quantity", "attribute_name1",
		"attribute_name2", "attribute_name3", "attribute_option_name1", "attribute_option_name2", "attribute_option_name3",
		"default_hosted_page_url")
	w.raw(`"item_code":{},"source":"api","is_linked_with_zohocrm":false,"is_default_tax_applied":false,"documents":[],` +
		`"pricing_scheme":"unit","price_brackets":[],"purchase_rate":0,"tags":[],"can_be_sold":true,"can_be_purchased":false,` +
		`"track_inventory":false,"lock_details":{"can_lock":false},"locked_actions":[],` +
		`"lock_detail":{"can_lock":true,"custom_locks":[],"system_locks":[]},"locked_fields":{},"is_fulfillable":false,` +
		`"sales_channels":[],"is_modifier_item":false,"integration_references":[],"has_variant":false,`)
	w.dec("pricebook_rate", n.rate)
	w.dec("sales_rate", n.rate)
	w.list("default_price_brackets")
	w.open()
	w.raw(`"start_quantity":1,"end_quantity":1,`)
	w.dec("pricebook_rate", n.rate)
	w.close()
	w.endList()
	w.str("created_at", b.today(n.created))
	w.time("created_time", n.created, b.loc)
	w.time("last_modified_time", n.modified, b.loc)
	w.str("item_type", n.itemType)
	w.str("product_type", n.productType)
	w.writeFields(n.fields)
	w.writeExtras(n.extra)
}

func (w *writer) itemTax(n *item) {
	if n.tax == nil {
		w.raw(`"tax_id":"","tax_name":"","tax_percentage":0,"tax_type":"",`)
		return
	}
	w.id("tax_id", n.tax.id)
	w.str("tax_name", n.tax.Name)
	w.dec("tax_percentage", n.tax.rate)
	w.str("tax_type", n.tax.kind())
}

func (b *books) writeItemRow(w *writer, n *item) {
	w.id("item_id", n.id)
	w.str("name", n.name)
	w.str("item_name", n.name)
	w.str("unit", n.unit)
	w.str("status", n.status())
	w.str("description", n.description)
	w.dec("rate", n.rate)
	w.id("account_id", n.account.id)
	w.str("account_name", n.account.Name)
	if n.tax == nil {
		w.raw(`"tax_id":"","tax_name":"","tax_percentage":0,`)
	} else {
		w.id("tax_id", n.tax.id)
		w.str("tax_name", n.tax.Name)
		w.dec("tax_percentage", n.tax.rate)
	}
	w.raw(`"source":"api","is_linked_with_zohocrm":false,"zcrm_product_id":"","purchase_account_id":"","purchase_account_name":"",` +
		`"purchase_description":"","purchase_rate":0,"can_be_sold":true,"can_be_purchased":false,"track_inventory":false,` +
		`"has_attachment":false,"image_name":"","image_type":"","image_document_id":"","product_subtype":"","purpose_of_use":"",` +
		`"vendor_name":"","tags":[],`)
	w.str("item_type", n.itemType)
	w.str("product_type", n.productType)
	w.str("sku", n.sku)
	w.time("created_time", n.created, b.loc)
	w.time("last_modified_time", n.modified, b.loc)
}
