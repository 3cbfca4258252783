using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.Federation;

/// <summary>
/// A choice that settings make by name, where each choice is an object that does the work: how seeds are drawn, how reports become a
/// commit, how the learning rate falls. A new one is a class of its own and a line in <see cref="All"/>; nothing else names it.
/// </summary>
public interface IRule<TSelf> where TSelf : class, IRule<TSelf>
{
    /// <summary>As settings and logs have it. Once a log has it, it means the same for ever.</summary>
    string Name { get; }

    /// <summary>Every rule of this kind that this version knows.</summary>
    static abstract IReadOnlyList<TSelf> All { get; }
}

public static class Rules
{
    /// <summary>What a person may write: any case.</summary>
    public static TRule? Find<TRule>(string name) where TRule : class, IRule<TRule> =>
        TRule.All.FirstOrDefault(rule => string.Equals(rule.Name, name, StringComparison.OrdinalIgnoreCase));

    public static string Names<TRule>() where TRule : class, IRule<TRule> => string.Join(", ", TRule.All.Select(rule => rule.Name));
}

/// <summary>Rules in JSON: their names, to the letter.</summary>
public sealed class RuleJson<TRule> : JsonConverter<TRule> where TRule : class, IRule<TRule>
{
    public override TRule Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.String && reader.GetString() is { } name
            && TRule.All.FirstOrDefault(rule => rule.Name == name) is { } found
            ? found
            : throw new JsonException($"It is none of {Rules.Names<TRule>()}.");

    public override void Write(Utf8JsonWriter writer, TRule value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        ArgumentNullException.ThrowIfNull(value);
        writer.WriteStringValue(value.Name);
    }
}

/// <summary>Rules in configuration: their names.</summary>
public sealed class RuleText<TRule> : TypeConverter where TRule : class, IRule<TRule>
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        Rules.Find<TRule>((string)value) ?? throw new FormatException($"'{value}' is none of {Rules.Names<TRule>()}.");
}
