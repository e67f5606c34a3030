import { html } from "../vendor/lit-html/lit-html.js";

export const view = () => html`<div class="page"><h1>Payments</h1></div>`;
