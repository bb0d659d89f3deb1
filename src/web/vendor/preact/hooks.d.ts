export * from "./hooks/src/index";
