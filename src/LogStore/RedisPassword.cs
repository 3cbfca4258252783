using StackExchange.Redis;

namespace FedKSeed.LogStore;

/// <summary>Takes the password out of a StackExchange.Redis configuration, and puts one in: it is for no file and no message.</summary>
public static class RedisPassword
{
    /// <summary>Where a password is looked for that the configuration does not hold.</summary>
    public const string Variable = "FEDKSEED_REDIS_PASSWORD";

    /// <summary>As it was when it holds no password.</summary>
    public static string Without(string connection)
    {
        var configuration = ConfigurationOptions.Parse(connection);
        if (configuration.Password is null)
            return connection;
        configuration.Password = null;
        return configuration.ToString();
    }

    /// <summary>As it was when it holds one already, or there is none to add.</summary>
    public static string With(string connection, string? password)
    {
        if (string.IsNullOrEmpty(password) || ConfigurationOptions.Parse(connection) is not { Password: null } configuration)
            return connection;
        configuration.Password = password;
        return configuration.ToString(includePassword: true);
    }
}
