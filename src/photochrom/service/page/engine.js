/** The engine of this page. `photochrom page` replaces this file by one that names `local/local.js`. */

export * from "./remote.js";
