// JupyterLab loads this from share/jupyter/labextensions/sidebyside. It adds the style of the
// pairs, the alternative text of the figures, and R's colours for the code of R cells.
//
// We need it for three reasons. JupyterLab removes <style> from the outputs of a notebook that it
// does not trust (one from git, for example), but a saved notebook needs the style when it is
// opened. JupyterLab's own image renderer leaves out the text that sidebyside's alt_text() stores.
// And it highlights every cell as the kernel's language.
//
// It is written by hand in the form that JupyterLab expects of a built extension (a module
// federation container: init and get), so that nothing has to be built.
(() => {
  "use strict";

  const folder = new URL(".", document.currentScript.src);
  let shared;

  function addStyle() {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL("style.css", folder);
    document.head.append(link);
    return {};
  }

  /** Load one of JupyterLab's own packages, in the version that the page uses. */
  async function jupyterlab(name) {
    const [release] = Object.values(shared[name]);
    return (await release.get())();
  }

  /** Wrap JupyterLab's image renderers, to add the text from the metadata to each image. */
  function giveImagesTheirText(rendermime) {
    for (const type of rendermime.mimeTypes.filter((t) => t.startsWith("image/"))) {
      const factory = rendermime.getFactory(type);
      const createRenderer = (options) => {
        const renderer = factory.createRenderer(options);
        const render = renderer.renderModel.bind(renderer);
        renderer.renderModel = async (model) => {
          await render(model);
          const text = model.metadata[type]?.alt;
          const image = renderer.node.querySelector("img");
          if (text && image) image.alt = text;
        };
        return renderer;
      };
      rendermime.addFactory({ ...factory, createRenderer }, 0);
    }
  }

  /** Keep a code cell in R's colours while it begins with %%R. */
  function colourCell(cell, notebook) {
    const choose = () => {
      const isR = /^\s*%%R(?!\S)/.test(cell.sharedModel.source);
      if (isR) cell.mimeType = "text/x-rsrc";
      else if (cell.mimeType === "text/x-rsrc") cell.mimeType = notebook.codeMimetype;
    };
    cell.contentChanged.connect(choose);
    // The notebook gives all its cells the kernel's language when a kernel answers.
    cell.mimeTypeChanged.connect(choose);
    choose();
  }

  /** Do so for every code cell of a notebook, and for cells that are added later. */
  function colourNotebook({ content: notebook }) {
    const known = new WeakSet();
    const look = () => {
      for (const cell of notebook.model.cells) {
        if (cell.type !== "code" || known.has(cell)) continue;
        known.add(cell);
        colourCell(cell, notebook);
      }
    };
    notebook.model.cells.changed.connect(look);
    look();
  }

  async function extension() {
    const { IRenderMimeRegistry } = await jupyterlab("@jupyterlab/rendermime");
    return [
      {
        id: "sidebyside:figures",
        description: "Alternative text of figures, from the output's metadata.",
        autoStart: true,
        requires: [IRenderMimeRegistry],
        activate: (app, rendermime) => giveImagesTheirText(rendermime),
      },
      {
        id: "sidebyside:r-cells",
        description: "Highlights cells that begin with %%R as R.",
        autoStart: true,
        activate: (app) => app.docRegistry.addWidgetExtension("Notebook", { createNew: colourNotebook }),
      },
    ];
  }

  const parts = {
    "./style": async () => addStyle(),
    "./extension": async () => ({ __esModule: true, default: await extension() }),
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB.sidebyside = {
    init: (scope) => {
      shared = scope;
    },
    get: async (name) => {
      const part = await parts[name]();
      return () => part;
    },
  };
})();
