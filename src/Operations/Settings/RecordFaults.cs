using System.Collections;
using System.ComponentModel.DataAnnotations;
using System.Reflection;

namespace FedKSeed.Operations.Settings;

/// <summary>
/// What the annotations of a record of settings say against it, and against the records and lists of records in it, however deep: the
/// framework's own validation stops at the first level. Each fault names the path of its setting.
/// </summary>
public static class RecordFaults
{
    /// <param name="path">Where the record stands in the configuration: <c>Memberships:0</c>.</param>
    public static IEnumerable<string> Of(string path, object record)
    {
        ArgumentNullException.ThrowIfNull(record);
        foreach (var property in record.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance).Where(item => item.CanWrite))
        {
            var at = $"{path}:{property.Name}";
            var value = property.GetValue(record);
            var found = new List<ValidationResult>();
            Validator.TryValidateValue(
                value!, new ValidationContext(record) { MemberName = property.Name, DisplayName = at }, found,
                property.GetCustomAttributes<ValidationAttribute>());
            foreach (var fault in found)
                yield return fault.ErrorMessage!;
            foreach (var fault in Inside(at, property.PropertyType, value))
                yield return fault;
        }
    }

    private static IEnumerable<string> Inside(string path, Type type, object? value) =>
        value is null ? []
        : SettingSection.IsRecord(type) ? Of(path, value)
        : SettingSection.ElementOf(type) is { } element && SettingSection.IsRecord(element)
            ? ((IEnumerable)value).Cast<object>().SelectMany((item, at) => Of($"{path}:{at}", item))
        : [];
}
