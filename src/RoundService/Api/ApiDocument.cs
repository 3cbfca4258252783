using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace FedKSeed.RoundService.Api;

/// <summary>What the OpenAPI document says beyond what the endpoints do: who may use each, and what any of them may answer.</summary>
internal static class ApiDocument
{
    private const string Token = "token";

    public static void Describe(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info = new OpenApiInfo
            {
                Title = "FedKSeed",
                Version = "1",
                Description = "Federations of one store: read them, steer them. Times are UTC, losses nats a token.",
            };
            document.Components ??= new OpenApiComponents();
            document.Components.SecuritySchemes ??= new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal);
            document.Components.SecuritySchemes[Token] = new OpenApiSecurityScheme
            {
                Type = SecuritySchemeType.Http,
                Scheme = "bearer",
                Description = "A token of role Reader or Operator: fedkseed token new.",
            };
            return Task.CompletedTask;
        });
        options.AddOperationTransformer((operation, context, _) =>
        {
            var policy = context.Description.ActionDescriptor.EndpointMetadata.OfType<IAuthorizeData>().Last().Policy;
            operation.Description = policy == ApiPolicies.Steer
                ? "Takes a token of role Operator."
                : "Takes a token of role Reader or Operator.";
            operation.Security = [new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(Token, context.Document)] = [] }];
            operation.Responses ??= [];
            foreach (var (status, meaning) in Always)
                operation.Responses.TryAdd(status, new OpenApiResponse { Description = meaning });
            return Task.CompletedTask;
        });
    }

    private static readonly (string Status, string Meaning)[] Always =
    [
        ("401", "application/problem+json: no token, or none that is known."),
        ("403", "application/problem+json: the token's role may not."),
        ("429", "application/problem+json: too many requests; Retry-After says when to come again."),
        ("503", "application/problem+json: the store or the broker is away."),
    ];
}
