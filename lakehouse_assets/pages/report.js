"use strict";
// Figures are whole ten-thousandths of a pound up to here, so that sums are exact; only what is shown is divided.
const data = JSON.parse(document.getElementById("data").textContent);
const specs = JSON.parse(document.getElementById("specs").textContent);
const daily = data.daily_sales || { rows: [], countries: [], measures: [], first: null, last: null, step: "day" };
const form = document.getElementById("filter");
const POUND = 10000;
const pounds = new Intl.NumberFormat("en-GB", { style: "currency", currency: "GBP" });
const whole = new Intl.NumberFormat("en-GB");
const share = new Intl.NumberFormat("en-GB", { style: "percent", maximumFractionDigits: 1 });
const ratio = new Intl.NumberFormat("en-GB", { maximumFractionDigits: 2 });
const time = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" });
const AMOUNTS = new Set(["sales", "returns", "net", "monetary", "low_80", "high_80", "low_95", "high_95"]);
const MOMENTS = new Set(["written", "due"]);
const SHARES = new Set(["retention", "score", "confidence", "return_rate"]);
const views = {};

// A limit that passes after the page was made is seen, too, whenever the page is read.
function moment(column, at) {
  return time.format(at) + (column === "due" && at < new Date() ? ", overdue" : "");
}

function shown(column, value) {
  if (value === null || value === undefined) return "–";
  if (MOMENTS.has(column)) return moment(column, new Date(value));
  if (typeof value !== "number") return value;
  if (AMOUNTS.has(column)) return pounds.format(value / POUND);
  if (SHARES.has(column)) return share.format(value);
  return Number.isInteger(value) ? whole.format(value) : ratio.format(value);
}

function chosen() {
  const { from, to, country } = Object.fromEntries(new FormData(form));
  const place = country === "" ? -1 : Number(country);
  return daily.rows.filter((row) =>
    (!from || row[0] >= from) && (!to || row[0] <= to) && (place < 0 || row[1] === place));
}

function byDate(rows) {
  const dates = new Map();
  for (const [date, , ...values] of rows) {
    const sums = dates.get(date) || daily.measures.map(() => 0);
    dates.set(date, sums.map((sum, at) => sum + values[at]));
  }
  return [...dates].map(([dt, values]) => ({ dt, ...Object.fromEntries(daily.measures.map((name, at) => [name, values[at]])) }));
}

// What is expected is known for all countries together only, so none is drawn beside one country.
function expected() {
  const { from, to, country } = Object.fromEntries(new FormData(form));
  return (data.sales_forecast?.rows ?? []).filter((row) =>
    country === "" && (!from || row.dt >= from) && (!to || row.dt <= to));
}

const CHOSEN = { daily_sales: () => byDate(chosen()), sales_forecast: expected };

function rowsOf(name) {
  return CHOSEN[name] ? CHOSEN[name]() : data[name].rows;
}

function fill(table) {
  const rows = rowsOf(table.dataset.rows);
  const heads = [...table.querySelectorAll("th")];
  const columns = heads.map((cell) => cell.dataset.column);
  for (const head of heads) head.classList.toggle("number", typeof rows[0]?.[head.dataset.column] === "number");
  const body = document.createElement("tbody");
  for (const row of rows) {
    const line = body.insertRow();
    for (const column of columns) {
      const cell = line.insertCell();
      cell.textContent = shown(column, row[column]);
      cell.classList.toggle("code", column === "sql");
      cell.classList.toggle("short", cell.textContent.length <= 20);
      if (typeof row[column] === "number") { cell.classList.add("number"); cell.dataset.value = row[column]; }
    }
  }
  table.tBodies[0].replaceWith(body);
}

function totals() {
  const rows = chosen();
  const list = document.getElementById("totals");
  list.replaceChildren(...daily.measures.map((name, at) => {
    const sum = rows.reduce((total, row) => total + row[2 + at], 0);
    const part = document.createElement("div");
    const title = part.appendChild(document.createElement("dt"));
    const value = part.appendChild(document.createElement("dd"));
    title.textContent = name[0].toUpperCase() + name.slice(1);
    value.textContent = shown(name, sum);
    value.dataset.total = name;
    value.dataset.value = sum;
    return part;
  }));
}

function colours() {
  const css = getComputedStyle(document.documentElement);
  const of = (name) => css.getPropertyValue(name).trim();
  const axis = { labelColor: of("--text"), titleColor: of("--text"), gridColor: of("--line"), domainColor: of("--line"), tickColor: of("--line") };
  return {
    background: "transparent", axis,
    style: {
      forecast: { stroke: of("--text"), strokeDash: [2, 2] },
      within_80: { fill: of("--mark"), fillOpacity: 0.3 }, within_95: { fill: of("--mark"), fillOpacity: 0.15 },
    },
    view: { stroke: null }, bar: { color: of("--mark") },
    legend: { labelColor: of("--text"), titleColor: of("--text") }, range: { category: [of("--mark"), of("--second"), of("--quiet")] },
  };
}

async function draw(name) {
  // Each chart is a task of its own, so that totals, tables and choices are there before, and answer in between.
  await new Promise((next) => setTimeout(next));
  const target = document.getElementById("chart-" + name);
  const options = { actions: false, renderer: "svg", config: colours() };
  const datasets = Object.fromEntries(Object.keys(specs[name].datasets).map((one) => [one, rowsOf(one)]));
  const spec = { ...specs[name], datasets };
  // A layer without rows would draw nothing, and complain of it.
  if (spec.layer) spec.layer = spec.layer.filter((one) => datasets[one.data.name].length);
  const result = await vegaEmbed(target, spec, options);
  views[name] = result.view;
  // The figures stand in the table; a reader of the screen is told of the chart by its label.
  target.querySelectorAll("svg").forEach((svg) => svg.setAttribute("aria-hidden", "true"));
}

function show(section) {
  const rows = rowsOf(section.id);
  section.querySelector(".empty").hidden = rows.length > 0;
  section.querySelector(".filled").hidden = rows.length === 0;
  if (!rows.length) return;
  section.querySelectorAll("table").forEach((table) => { if (!table.closest("details") || table.closest("details").open) fill(table); });
  return specs[section.id] && draw(section.id);
}

function choose() {
  totals();
  sections.filter((section) => CHOSEN[section.id]).forEach(show);
}

const sections = [...document.querySelectorAll("section")];
for (const one of [form, document.getElementById("totals")]) one.hidden = !daily.rows.length;
for (const [at, country] of daily.countries.entries()) form.elements.country.add(new Option(country, at));
for (const name of ["from", "to"]) Object.assign(form.elements[name], { min: daily.first || "", max: daily.last || "" });
document.getElementById("range").textContent = daily.first ? `Business dates ${daily.first} to ${daily.last}` : "No sales yet.";
form.addEventListener("input", choose);
form.addEventListener("reset", () => setTimeout(choose));
form.addEventListener("submit", (event) => event.preventDefault());
document.querySelectorAll("details").forEach((one) => one.addEventListener("toggle", () => one.open && one.querySelectorAll("table").forEach(fill)));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => sections.forEach(show));
totals();
Promise.all(sections.map(show)).then(() => { document.documentElement.dataset.drawn = "true"; });
document.documentElement.dataset.ready = "true";
