// Which module shows which place. They are loaded when somebody goes there.

/**
 * A view: a component that is given the place as `route`, and is made anew for another `key`. `needsList`: on a wide
 * window the list of conversations stays beside it.
 *
 * @typedef {object} View
 * @property {() => Promise<{default: (props: {route: any}) => any}>} load
 * @property {(route: any) => string} [key]
 * @property {string} title
 */

/** @typedef {import("./core/routes.js").Route["view"]} ViewName */

/** @type {Record<Exclude<ViewName, "sessions">, View>} */
export const views = {
  session: { title: "Conversation", load: () => import("./views/conversation.js"), key: ({ sessionId }) => sessionId },
  projects: { title: "Projects", load: () => import("./views/projects.js") },
  project: { title: "Project", load: () => import("./views/project.js"), key: ({ projectPath }) => projectPath },
  server: { title: "Server", load: () => import("./views/server.js") },
};
