from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('syncjobs', '0013_one_index_less'),
    ]

    operations = [
        migrations.AddField(
            model_name='plan',
            name='message',
            field=models.TextField(blank=True, db_default='', default='', verbose_name='message'),
        ),
        migrations.AddField(
            model_name='plan',
            name='runs',
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name='plan',
            name='skipped',
            field=models.JSONField(default=dict),
        ),
        migrations.AddField(
            model_name='plan',
            name='status',
            field=models.CharField(choices=[('making', 'being made'), ('ready', 'ready'), ('applying', 'being carried out'), ('applied', 'carried out'), ('failed', 'could not be made')], db_default='ready', default='ready', max_length=8, verbose_name='status'),
        ),
        migrations.RunSQL(
            "UPDATE syncjobs_plan SET status = 'applied' WHERE applied_at IS NOT NULL", migrations.RunSQL.noop
        ),
    ]
