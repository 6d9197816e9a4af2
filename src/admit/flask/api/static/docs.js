"use strict";

// Swagger UI asks a validator on another host, unless it is told not to.
SwaggerUIBundle({
  url: document.getElementById("api").dataset.description,
  domNode: document.getElementById("api"),
  validatorUrl: null,
  deepLinking: true,
  tryItOutEnabled: true,
});
