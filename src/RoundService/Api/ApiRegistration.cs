using System.Text.Json.Serialization;
using FedKSeed.LogStore;
using FedKSeed.Operations;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FedKSeed.RoundService.Api;

internal static class ApiRegistration
{
    public static void AddApi(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ApiOptions>().BindConfiguration("Api")
            .Validate<IConfiguration>(
                (api, configuration) => !api.Anonymous || AnonymousOnLoopback.Others(configuration).Count == 0,
                AnonymousOnLoopback.Refusal)
            .ValidateOnStart();
        services.AddHostedService<AnonymousOnLoopback>();
        services.AddSingleton<AccessTokens>();
        services.AddSingleton<KnownTokens>();
        services.AddSingleton<WrongTokens>();
        services.AddSingleton<FederationReader>();
        services.AddSingleton<LogHistories>();
        services.AddSingleton<LogReader>();
        services.AddSingleton<Steering>();
        services.AddAuthentication(TokenAuthentication.BearerScheme)
            .AddScheme<AuthenticationSchemeOptions, TokenAuthentication>(TokenAuthentication.BearerScheme, null);
        services.AddAuthorization(ApiPolicies.Add);
        services.AddRateLimiter(ApiLimits.Add);
        services.AddProblemDetails(Problems.Describe);
        services.AddExceptionHandler<ApiFaults>();
        services.AddOpenApi(ApiDocument.Describe);
        services.Configure<KestrelServerOptions>(kestrel => (kestrel.Limits.MaxRequestBodySize, kestrel.AddServerHeader) =
            (ApiLimits.Body, false));
        services.Configure<RouteHandlerOptions>(handlers => handlers.ThrowOnBadRequest = true);
        services.ConfigureHttpJsonOptions(json =>
        {
            json.SerializerOptions.Converters.Add(new JsonStringEnumConverter(namingPolicy: null, allowIntegerValues: false));
            json.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        });
        builder.AddScraping("fedkseed-round-service");
    }
}
