// Trades with alpaca-trade-api for Node, in a folder of its own; says what it saw as JSON.
"use strict";
const Alpaca = require("@alpacahq/alpaca-trade-api");

const [url, key, secret] = process.argv.slice(2);
const alpaca = new Alpaca({
  keyId: key, secretKey: secret, baseUrl: url, dataBaseUrl: url,
  dataStreamUrl: url.replace("http", "ws"), feed: "iex",
});

async function waitFor(done) {
  const ends = Date.now() + 20000;
  while (!(await done())) {
    if (Date.now() > ends) throw new Error("waited in vain");
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function main() {
  const updates = [];
  const seen = { account: (await alpaca.getAccount()).status, open: (await alpaca.getClock()).is_open };
  const stream = alpaca.trade_ws;
  let listening = false;
  stream.onConnect(() => { stream.subscribe(["trade_updates"]); listening = true; });
  stream.onOrderUpdate((data) => updates.push(data.event));
  stream.connect();
  await waitFor(() => listening);
  const bought = await alpaca.createOrder({
    symbol: "AAPL", qty: 10, side: "buy", type: "market", time_in_force: "day",
  });
  await waitFor(() => updates.includes("fill"));
  seen.bought = (await alpaca.getOrder(bought.id)).status;
  seen.position = (await alpaca.getPosition("AAPL")).qty;
  const rests = await alpaca.createOrder({
    symbol: "AAPL", qty: 10, side: "sell", type: "limit", time_in_force: "day", limit_price: 200,
  });
  await waitFor(async () => (await alpaca.getOrder(rests.id)).status === "new");
  seen.replaced = (await alpaca.replaceOrder(rests.id, { limit_price: 210 })).replaces === rests.id;
  await waitFor(() => updates.includes("replaced"));
  await alpaca.cancelAllOrders();
  await waitFor(async () => (await alpaca.getPosition("AAPL")).qty_available === "10");
  await alpaca.closePosition("AAPL");
  await waitFor(async () => (await alpaca.getPositions()).length === 0);
  let bars = 0;
  const found = alpaca.getBarsV2("AAPL", { start: "2026-03-09", end: "2026-03-10", timeframe: "1Day", feed: "iex" });
  for await (const bar of found) bars += bar.OpenPrice > 0 ? 1 : 0;
  seen.bars = bars;
  seen.updates = updates;
  console.log(JSON.stringify(seen));
  process.exit(0);
}

main().catch((error) => { console.error(error.message || error); process.exit(1); });
