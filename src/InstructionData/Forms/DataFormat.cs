using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace FedKSeed.InstructionData.Forms;

/// <summary>The name of a form of data, such as <c>alpaca</c>: what options and settings hold.</summary>
[TypeConverter(typeof(DataFormatTypeConverter))]
[JsonConverter(typeof(DataFormatJsonConverter))]
public readonly record struct DataFormat(string Name)
{
    public override string ToString() => Name;
}

/// <summary>Names of the forms that are read without being told more.</summary>
public static class DataFormats
{
    /// <summary>What to write on a command line.</summary>
    public static IReadOnlyList<string> All { get; } = [.. DataForms.Standard.All.Select(form => form.Name)];

    /// <summary>A name as it is written today, or as it was (NaturalInstructions); null where it is none.</summary>
    public static DataFormat? Parse(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var plain = name.Replace("-", "", StringComparison.Ordinal);
        return All.FirstOrDefault(
            known => known.Replace("-", "", StringComparison.Ordinal).Equals(plain, StringComparison.OrdinalIgnoreCase)) is { } found
            ? new DataFormat(found)
            : null;
    }

    public static string Name(DataFormat format) => format.Name;

    internal static DataFormat Required(string? text) => text is not null && Parse(text) is { } format
        ? format
        : throw new FormatException($"'{text}' is no form of data; there are {string.Join(", ", All)}.");
}

internal sealed class DataFormatTypeConverter : TypeConverter
{
    public override bool CanConvertFrom(ITypeDescriptorContext? context, Type sourceType) => sourceType == typeof(string);

    public override object? ConvertFrom(ITypeDescriptorContext? context, CultureInfo? culture, object value) =>
        DataFormats.Required(value as string);
}

internal sealed class DataFormatJsonConverter : JsonConverter<DataFormat>
{
    public override DataFormat Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        try
        {
            return DataFormats.Required(reader.GetString());
        }
        catch (FormatException e)
        {
            throw new JsonException(e.Message, e);
        }
    }

    public override void Write(Utf8JsonWriter writer, DataFormat value, JsonSerializerOptions options)
    {
        ArgumentNullException.ThrowIfNull(writer);
        writer.WriteStringValue(value.Name);
    }
}
